#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/detail/pickle.h>
#include <optotorch/modules/export/detail/torchscript_archive.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <sys/stat.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

namespace optotorch {
namespace {

namespace jit = torch::jit;
using testing::TemporaryFolder;

std::string archive_of(const jit::Module& module) {
  std::ostringstream stream;
  module.save(stream);
  return stream.str();
}

TorchScriptArchive read(const std::string& bytes) {
  return TorchScriptArchive(InputFile(bytes, "model.pt"));
}

jit::Module with_buffer(const at::Tensor& buffer) {
  jit::Module module("Holder");
  module.register_buffer("b", buffer);
  module.define("def forward(self, x):\n  return x\n");
  return module;
}

/// A module that does `deed` when it is loaded.
jit::Module acting(const std::string& deed) {
  jit::Module module("Acting");
  module.register_buffer("b", at::ones({3}));
  module.define(
      "def forward(self, x):\n  return x\n"
      "def __getstate__(self):\n  return (self.b, True)\n"
      "def __setstate__(self, state: Tuple[Tensor, bool]) -> None:\n"
      "  self.b = state[0]\n" +
      deed);
  return module;
}

TEST(TorchscriptArchiveTest, NamesTypesSizesAndBytesAreThoseOfTheLoadedModule) {
  jit::Module part("Part");
  part.register_parameter("weight", at::randn({2, 3}), false);
  part.register_buffer("turned", at::randn({3, 4}, at::kDouble).t());
  jit::Module root("Root");
  root.register_module("layer", part);
  root.register_buffer("field", at::randn({5}, at::kComplexFloat));
  root.register_buffer("slice", at::arange(20, at::kLong).view({4, 5}).narrow(1, 1, 2));
  root.register_buffer("half", at::randn({2, 1}).to(at::kHalf));
  root.register_buffer("mask", at::tensor({1, 0, 1}).to(at::kBool));
  root.register_buffer("empty", at::empty({0, 3}));
  root.register_buffer("scalar", at::full({}, 7, at::kInt));
  root.define("def forward(self, x):\n  return x\n");
  const std::string bytes = archive_of(root);

  std::istringstream stream(bytes);
  std::map<std::string, at::Tensor> loaded;
  const auto module = jit::load(stream);
  for (const auto& item : module.named_parameters()) {
    loaded[item.name] = item.value.detach();
  }
  for (const auto& item : module.named_buffers()) {
    loaded[item.name] = item.value;
  }
  auto archive = read(bytes);
  EXPECT_EQ(archive.size(), bytes.size());
  ASSERT_EQ(archive.tensors().size(), 8u);
  ASSERT_EQ(loaded.size(), 8u);
  auto expected = loaded.begin();
  for (const auto& tensor : archive.tensors()) {
    const auto& [name, value] = *expected++;
    SCOPED_TRACE(name);
    EXPECT_EQ(tensor.name, name);
    EXPECT_EQ(tensor.type, value.scalar_type());
    EXPECT_EQ(at::IntArrayRef(tensor.sizes), value.sizes());
    EXPECT_EQ(tensor.device, "cpu");
    const auto read = archive.bytes(tensor), contiguous = value.contiguous();
    ASSERT_EQ(read.nbytes(), contiguous.nbytes());
    if (read.nbytes() > 0) {
      EXPECT_EQ(std::memcmp(read.const_data_ptr(), contiguous.const_data_ptr(), read.nbytes()), 0);
    }
  }
}

TEST(TorchscriptArchiveTest, ConstantsOfTheCodeAndSharedTensorsAreListed) {
  jit::Module module("Root");
  const auto tied = at::randn({2});
  module.register_buffer("a", tied);
  module.register_buffer("b", tied);
  module.define("def forward(self, x):\n  return x\n");
  auto graph = module.get_method("forward").graph();
  const torch::jit::WithInsertPoint before(graph->block());
  auto* const constant = graph->insertConstant(at::arange(3));
  auto* const sum = graph->insert(c10::Symbol::fromQualString("aten::add"), {graph->inputs()[1], constant});
  graph->block()->replaceOutput(0, sum);
  std::vector<std::string> names;
  const auto archive = read(archive_of(module));
  for (const auto& tensor : archive.tensors()) {
    names.push_back(tensor.name + " " + tensor.description());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a float32 [2]", "b float32 [2]", "constants.0 int64 [3]"}));
}

TEST(TorchscriptArchiveTest, AProgramIsNotRun) {
  const TemporaryFolder folder;
  const auto victim = folder.write("victim", {1, 2, 3, 4});
  const auto bytes = archive_of(acting("  t = torch.from_file('" + victim +
                                       "', True, 4, dtype=0).fill_(65)\n  self.b = self.b + t[0]\n"));
  const auto contents = [&] {
    std::ifstream file(victim, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  auto archive = read(bytes);
  ASSERT_EQ(archive.tensors().size(), 1u);
  EXPECT_EQ(archive.tensors()[0].description(), "float32 [3]");
  EXPECT_TRUE(archive.bytes(archive.tensors()[0]).view(at::kFloat).equal(at::ones({3})));
  EXPECT_EQ(contents(), "\1\2\3\4");
  std::istringstream stream(bytes);
  jit::load(stream);  // this is what loading does
  EXPECT_EQ(contents(), "AAAA");

  const auto looping = read(archive_of(acting("  i = 0\n  while i < 10:\n    i = i * 1\n")));
  EXPECT_EQ(looping.tensors().size(), 1u);
}

TEST(TorchscriptArchiveTest, TensorsWithoutValuesAndBeyondMemoryAreOnlyDescribed) {
  auto meta = read(archive_of(with_buffer(at::ones({3}, at::kMeta))));
  ASSERT_EQ(meta.tensors().size(), 1u);
  EXPECT_EQ(meta.tensors()[0].description(), "float32 [3] on meta");
  EXPECT_EQ(meta.bytes(meta.tensors()[0]).numel(), 0);
  auto expanded = read(archive_of(with_buffer(at::zeros({1}).expand({int64_t{1} << 40}))));
  ASSERT_EQ(expanded.tensors().size(), 1u);
  EXPECT_EQ(expanded.tensors()[0].description(), "float32 [1099511627776], repeats 1 value");
  const auto conjugated = read(archive_of(with_buffer(at::ones({2}, at::kComplexFloat).conj())));
  EXPECT_EQ(conjugated.tensors()[0].description(), "complex64 [2], conjugated");
}

TEST(TorchscriptArchiveTest, OtherFilesAreRefused) {
  const TemporaryFolder folder;
  EXPECT_SAYS(TorchScriptArchive(folder.path()), "a folder");
  EXPECT_SAYS(TorchScriptArchive(folder.path() + "/absent"), "nothing of that name");
  const auto pipe = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_SAYS(TorchScriptArchive(pipe), "a pipe");
  EXPECT_SAYS(read(""), "TorchScriptArchive: model.pt: expected an archive");
  EXPECT_SAYS(read(std::string(1000, 'x')), "no TorchScript file");
  EXPECT_SAYS(read(std::string("PK\5\6", 4) + std::string(18, '\0')), "a directory of 1 to");
}

/// One that is cut anywhere is refused, and one that differs in a bit is refused or read.
TEST(TorchscriptArchiveTest, DamagedFilesAreRefusedOrRead) {
  const auto bytes = archive_of(with_buffer(at::arange(3).to(at::kFloat)));
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW(read(bytes.substr(0, length)), c10::ValueError) << length;
  }
  size_t refused = 0, tried = 0;
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    auto damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    ++tried;
    try {
      auto archive = read(damaged);
      for (const auto& tensor : archive.tensors()) {
        tensor.description();
        if (tensor.elements() < 1000) {
          archive.bytes(tensor);
        }
      }
    } catch (const c10::ValueError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 500u);
  EXPECT_LT(refused, tried);
}

Pickle pickled(const std::string& code) {
  return {std::string("\x80\2", 2) + code + ".", "test", "pickle"};
}

TEST(TorchscriptArchiveTest, PicklesBecomePlainValues) {
  using Kind = Pickle::Kind;
  using namespace std::string_literals;
  const auto pickle = pickled("(K\7M\1\2J\xfe\xff\xff\xff\x8a\2\0\x80X\2\0\0\0hi\x88NG\0\0\0\0\0\0\0\0t"s);
  const auto items = pickle.items(pickle.root());
  ASSERT_EQ(items.size(), 8u);
  EXPECT_EQ(items[0].number(), 7);
  EXPECT_EQ(items[1].number(), 0x201);
  EXPECT_EQ(items[2].number(), -2);
  EXPECT_EQ(items[3].number(), -0x8000);
  EXPECT_EQ(pickle.text(items[4]), "hi");
  EXPECT_TRUE(items[5].is(Kind::boolean) && items[6].is(Kind::none) && items[7].is(Kind::real));
}

TEST(TorchscriptArchiveTest, CallsAreKeptAndNeverMade) {
  using namespace std::string_literals;
  const auto pickle = pickled("cos\nsystem\nX\4\0\0\0true\x85R"s);
  ASSERT_TRUE(pickle.root().is(Pickle::Kind::call));
  const auto items = pickle.items(pickle.root());
  EXPECT_EQ(pickle.text(items[0]), "os\nsystem");
  EXPECT_EQ(pickle.text(pickle.items(items[1])[0]), "true");
}

TEST(TorchscriptArchiveTest, UnsoundPicklesAreRefused) {
  for (const std::string code : {"",
                                 "NN",
                                 "(N",
                                 "t",
                                 "e",
                                 "u",
                                 "\x85",
                                 "\x86",
                                 "N\x86",
                                 "R",
                                 "NNR",
                                 "b",
                                 "NNb",
                                 "q",
                                 "qA",
                                 "hA",
                                 "a",
                                 "Na",
                                 "]a",
                                 "]NNs",
                                 "}NNa",
                                 "}(Nu",
                                 "(Nd",
                                 "K",
                                 "J\1",
                                 "X\1",
                                 "X\xff\xff\xff\xff",
                                 "cos\nsystem",
                                 "c\n",
                                 "\x8a\x9",
                                 "\x8a\2\1",
                                 "Q",
                                 "0",
                                 "2",
                                 "i",
                                 "o",
                                 "I1\n",
                                 "S'a'\n",
                                 "P1\n",
                                 "\x82\1",
                                 "\x93",
                                 "\x95",
                                 "\xff",
                                 "(]e",
                                 "N(]t\x86q",
                                 "cos\nsystem\nNR",
                                 "N)\x81"}) {
    SCOPED_TRACE(code);
    EXPECT_SAYS(pickled(code), "test: pickle: expected");
  }
  EXPECT_SAYS(Pickle("", "test", "pickle"), "another 1 bytes");
  EXPECT_SAYS(Pickle("\x80\4N.", "test", "pickle"), "protocol 2");
}

}  // namespace
}  // namespace optotorch
