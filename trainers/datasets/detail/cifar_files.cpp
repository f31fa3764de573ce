#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/cifar_files.h>
#include <optotorch/trainers/datasets/detail/python_dictionary.h>
#include <optotorch/trainers/datasets/detail/set_files.h>

namespace optotorch {
namespace {

constexpr int64_t image_bytes = 3 * 32 * 32;

std::vector<std::string> with(std::vector<std::string> names, const std::string& ending,
                              const std::string& another) {
  for (auto& name : names) {
    name += ending;
  }
  names.push_back(another);
  return names;
}

/// Names here the file that is at fault; ImageSet would name the set.
void check_labels(const std::string& path, const at::Tensor& labels, size_t classes) {
  const auto [least, most] = labels.aminmax();
  const auto low = least.item<int64_t>(), high = most.item<int64_t>();
  OPTOTORCH_CHECK(low >= 0 && high < static_cast<int64_t>(classes), .where = path, .argument = "labels",
                  .expected = c10::str("values from 0 to ", static_cast<int64_t>(classes) - 1),
                  .got = c10::str(low < 0 ? low : high),
                  .remedy = "The file is damaged or belongs to another data set");
}

}  // namespace

CifarBatch read_cifar_pickle(InputFile file, const std::string& label_key) {
  const std::string path = file.name();
  const PythonDictionary dictionary(std::move(file));
  const at::Tensor labels = dictionary.whole_numbers(label_key);
  const at::Tensor data = dictionary.bytes("data");
  OPTOTORCH_CHECK(data.dim() == 2 && data.size(1) == image_bytes, .where = path, .argument = "'data'",
                  .expected = c10::str("uint8 [N, ", image_bytes, "]"), .got = describe(data),
                  .remedy = "The file is damaged or belongs to another data set");
  OPTOTORCH_CHECK(labels.size(0) == data.size(0), .where = path, .argument = "'" + label_key + "'",
                  .expected = c10::str("a label for each of ", data.size(0), " images"),
                  .got = c10::str(labels.size(0)), .remedy = "The file is damaged; fetch it again");
  return {data.view({-1, 3, 32, 32}), labels};
}

CifarBatch read_cifar_binary(InputFile file, size_t label_bytes, size_t label_byte) {
  const uint64_t record = label_bytes + image_bytes;
  OPTOTORCH_CHECK(file.size() > 0 && file.size() % record == 0, .where = file.name(), .argument = "length",
                  .expected = c10::str("one or more records of ", record, " bytes"),
                  .got = c10::str(file.size(), " bytes"),
                  .remedy = "The file is truncated or belongs to another data set");
  const auto count = static_cast<int64_t>(file.size() / record);
  at::Tensor records = at::empty({count, static_cast<int64_t>(record)}, at::kByte);
  const size_t came = file.read(records.mutable_data_ptr<uint8_t>(), file.size());
  OPTOTORCH_CHECK(came == file.size(), .where = file.name(), .argument = "length",
                  .expected = c10::str(file.size(), " bytes"), .got = c10::str(came));
  return {
      records.narrow(1, static_cast<int64_t>(label_bytes), image_bytes).contiguous().view({count, 3, 32, 32}),
      records.select(1, static_cast<int64_t>(label_byte)).to(at::kLong)};
}

ImageSet read_cifar(const std::string& root, const CifarFiles& files) {
  const auto found =
      find_set(files.data_set, root,
               {{files.python_folder, with(files.batches, "", files.meta), files.python_archive},
                {files.binary_folder, with(files.batches, ".bin", files.names), files.binary_archive}},
               c10::str("Get them with torchvision.datasets.", files.data_set, "(root, download=True)"));
  const bool python = found.place == 0;
  const std::string names_path = found.path(python ? files.meta : files.names);
  const auto names = python ? PythonDictionary(open_regular_file(names_path, "data")).texts(files.name_key)
                            : read_names(names_path);
  OPTOTORCH_CHECK(!names.empty(), .where = names_path, .argument = "names of the classes",
                  .expected = "at least one", .got = "none");
  std::vector<at::Tensor> images, labels;
  for (const auto& batch : files.batches) {
    const auto path = found.path(python ? batch : batch + ".bin");
    auto file = open_regular_file(path, "data");
    auto [data, targets] = python ? read_cifar_pickle(std::move(file), files.label_key)
                                  : read_cifar_binary(std::move(file), files.label_bytes, files.label_byte);
    check_labels(path, targets, names.size());
    images.push_back(std::move(data));
    labels.push_back(std::move(targets));
  }
  return {files.data_set, images.size() == 1 ? images[0] : at::cat(images), at::cat(labels), names};
}

}  // namespace optotorch
