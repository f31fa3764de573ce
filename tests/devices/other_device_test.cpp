#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/detail/HPUHooksInterface.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <devices/other_device.h>
#include <gtest/gtest.h>
#include <optotorch/ops/filter_bank.h>
#include <optotorch/trainers/detail/random_state.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace optotorch::testing {
namespace {

/// The same memory as a tensor of another device; gives back the bits that stand for a conjugate and a sign.
at::Tensor in_place_of(const at::Tensor& tensor, c10::Device device) {
  if (!tensor.defined()) {
    return tensor;
  }
  const auto key = device.is_cpu() ? c10::DispatchKey::CPU : c10::DispatchKey::HPU;
  auto* const first = tensor.storage().mutable_data();
  c10::Storage storage(c10::Storage::use_byte_size_t(), tensor.storage().nbytes(),
                       c10::DataPtr(
                           first, new at::Tensor(tensor),  // lives as long as this storage
                           [](void* kept) { delete static_cast<at::Tensor*>(kept); }, device),
                       c10::GetCPUAllocator(), /*resizable=*/true);
  auto result =
      at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(key), tensor.dtype());
  result.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(),
                                                      tensor.storage_offset());
  result.unsafeGetTensorImpl()->_set_conj(tensor.is_conj());
  result.unsafeGetTensorImpl()->_set_neg(tensor.is_neg());
  return result;
}

void run_on_other_device(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  TORCH_CHECK(!op.schema().name().starts_with("optotorch::"), op.schema().name(),
              " has no face for other devices");
  const c10::Device cpu(c10::kCPU), other(other_device, 0);
  const auto count = op.schema().arguments().size();
  const auto given = torch::jit::last(*stack, count).vec();
  std::vector<at::Tensor> lent, originals;  // tensors of the CPU, and those whose memory they have
  const auto lend = [&](const at::Tensor& tensor) {
    if (!tensor.defined()) {
      return tensor;
    }
    if (tensor.is_cpu()) {
      TORCH_CHECK(tensor.dim() == 0, op.schema().name(), ": a tensor of the CPU, ", tensor.sizes(),
                  ", beside those of another device");
      return tensor;
    }
    originals.push_back(tensor);
    lent.push_back(in_place_of(tensor, cpu));
    return lent.back();
  };
  for (size_t i = 0; i < count; ++i) {
    auto& argument = (*stack)[stack->size() - count + i];
    if (argument.isTensor()) {
      argument = lend(argument.toTensor());
    } else if (argument.isTensorList()) {
      std::vector<at::Tensor> list;
      for (const at::Tensor& tensor : argument.toTensorVector()) {
        list.push_back(lend(tensor));
      }
      argument = list;
    } else if (argument.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> list;
      for (const std::optional<at::Tensor>& tensor : argument.toOptionalTensorList().vec()) {
        list.push_back(tensor.has_value() ? std::optional(lend(*tensor)) : std::nullopt);
      }
      argument = list;
    } else if (argument.isDevice()) {
      argument = cpu;
    }
  }
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  // An output that was given may have grown.
  for (size_t n = 0; n < lent.size(); ++n) {
    if (lent[n].storage().data() != originals[n].storage().data()) {
      originals[n].unsafeGetTensorImpl()->set_storage_keep_dtype(in_place_of(lent[n], other).storage());
    }
    if (lent[n].sizes() != originals[n].sizes() || lent[n].strides() != originals[n].strides()) {
      originals[n].unsafeGetTensorImpl()->set_sizes_and_strides(lent[n].sizes(), lent[n].strides(),
                                                                lent[n].storage_offset());
    }
  }
  const auto back = [&](const at::Tensor& tensor) {
    const auto same =
        std::find_if(lent.begin(), lent.end(), [&](const at::Tensor& one) { return one.is_same(tensor); });
    return same != lent.end() ? originals[static_cast<size_t>(same - lent.begin())]
                              : in_place_of(tensor, other);
  };
  for (size_t i = 0; i < op.schema().returns().size(); ++i) {
    auto& value = (*stack)[stack->size() - op.schema().returns().size() + i];
    if (value.isTensor()) {
      value = back(value.toTensor());
    } else if (value.isTensorList()) {
      std::vector<at::Tensor> list;
      for (const at::Tensor& tensor : value.toTensorVector()) {
        list.push_back(back(tensor));
      }
      value = list;
    }
  }
}

/// The one operator that may meet tensors of two devices.
at::Tensor& copy_to_or_from(at::Tensor& to, const at::Tensor& from, bool /*non_blocking*/) {
  auto target = in_place_of(to, c10::kCPU);
  target.copy_(in_place_of(from, c10::kCPU));
  return to;
}

/// For archives, which take a whole storage.
at::Tensor& set_storage(at::Tensor& tensor, at::Storage source, int64_t offset, at::IntArrayRef sizes,
                        at::IntArrayRef strides) {
  tensor.unsafeGetTensorImpl()->set_storage_keep_dtype(std::move(source));
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides, offset);
  return tensor;
}

class OtherDeviceHooks : public at::HPUHooksInterface {
 public:
  explicit OtherDeviceHooks(at::HPUHooksArgs /*none*/) {}
  void init() const override {}
  bool hasHPU() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex /*device*/) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex /*device*/) const override {
    static const at::Generator own = at::make_generator<at::CPUGeneratorImpl>();
    return own;
  }
};

/// LibTorch asks for these under names of their own; the CPU's do the same to lent tensors.
at::Tensor convolution(const at::Tensor& input, const at::Tensor& weight,
                       const std::optional<at::Tensor>& bias, at::IntArrayRef stride, at::IntArrayRef padding,
                       at::IntArrayRef dilation, bool transposed, at::IntArrayRef output_padding,
                       int64_t groups) {
  const auto lent_bias = bias.has_value() ? std::optional(in_place_of(*bias, c10::kCPU)) : std::nullopt;
  return in_place_of(at::convolution(in_place_of(input, c10::kCPU), in_place_of(weight, c10::kCPU), lent_bias,
                                     stride, padding, dilation, transposed, output_padding, groups),
                     {other_device, 0});
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor& dL_dy, const at::Tensor& input, const at::Tensor& weight, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed, at::IntArrayRef output_padding,
    int64_t groups, std::array<bool, 3> wanted) {
  const std::vector<int64_t> bias_size{transposed ? weight.size(1) * groups : weight.size(0)};
  const auto [dL_dinput, dL_dweight, dL_dbias] = at::convolution_backward(
      in_place_of(dL_dy, c10::kCPU), in_place_of(input, c10::kCPU), in_place_of(weight, c10::kCPU), bias_size,
      stride, padding, dilation, transposed, output_padding, groups, wanted);
  const c10::Device other(other_device, 0);
  return {in_place_of(dL_dinput, other), in_place_of(dL_dweight, other), in_place_of(dL_dbias, other)};
}

TORCH_LIBRARY_IMPL(_, HPU, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_other_device>());
}

TORCH_LIBRARY_IMPL(aten, HPU, library) {
  library.impl("copy_", copy_to_or_from);
  library.impl("set_.source_Storage_storage_offset", set_storage);
  library.impl("convolution_overrideable", convolution);
  library.impl("convolution_backward_overrideable", convolution_backward);
}

/// One device, whose work is done when a call returns: events and streams are nothing.
class OtherDeviceGuard : public c10::impl::NoOpDeviceGuardImpl<other_device> {
 public:
  c10::Device getDevice() const override { return {other_device, 0}; }
  c10::Device exchangeDevice(c10::Device /*device*/) const override { return getDevice(); }
  c10::Stream getStream(c10::Device /*device*/) const noexcept override { return only(); }
  c10::Stream getNewStream(c10::Device /*device*/, int /*priority*/) const override { return only(); }
  c10::Stream exchangeStream(c10::Stream /*stream*/) const noexcept override { return only(); }
  void record(void** /*event*/, const c10::Stream& /*stream*/, c10::DeviceIndex /*device*/,
              c10::EventFlag /*flag*/) const override {}
  void block(void* /*event*/, const c10::Stream& /*stream*/) const override {}
  bool queryEvent(void* /*event*/) const override { return true; }
  void destroyEvent(void* /*event*/, c10::DeviceIndex /*device*/) const noexcept override {}

 private:
  static c10::Stream only() noexcept { return c10::Stream(c10::Stream::DEFAULT, {other_device, 0}); }
};

C10_REGISTER_GUARD_IMPL(HPU, OtherDeviceGuard)

}  // namespace
}  // namespace optotorch::testing

namespace at {
// LibTorch looks it up by this name.
using HPUHooks = optotorch::testing::OtherDeviceHooks;
C10_REGISTER_CLASS(HPUHooksRegistry, HPUHooks, HPUHooks)
}  // namespace at

namespace optotorch::testing {
namespace {

TEST(OtherDeviceTest, ComputesWhatTheCpuDoes) {
  const auto x = at::arange(6, at::kDouble).view({2, 3}), y = x.to(other_device);
  EXPECT_EQ(y.device().type(), other_device);
  const auto sum = (y.t().contiguous() + 1).narrow(0, 1, 2).sum(1);
  EXPECT_EQ(sum.device().type(), other_device);
  EXPECT_TRUE(sum.cpu().equal((x.t() + 1).narrow(0, 1, 2).sum(1)));
  auto view = y.select(0, 1);
  view.mul_(2);
  EXPECT_EQ(y.sum().item<double>(), 27);
  const auto z = at::complex(y, -y);
  EXPECT_TRUE(at::real(z.conj() * z).cpu().equal(2 * y.cpu().square()));
}

TEST(OtherDeviceTest, AutogradComputesThere) {
  const auto x = at::arange(6, at::kDouble).to(other_device).requires_grad_();
  (x.square().sum() * 2).backward();
  EXPECT_EQ(x.grad().device().type(), other_device);
  EXPECT_TRUE(x.grad().cpu().equal(4 * at::arange(6, at::kDouble)));
}

TEST(OtherDeviceTest, RandomStateIsOfBothGenerators) {
  const c10::Device other(other_device, 0);
  const auto there = at::globalContext().defaultGenerator(other);
  const auto draw = [&] { return at::cat({at::rand({3}), at::rand({3}, there, at::dtype(at::kFloat))}); };
  const auto state = random_state(other);
  const auto first = draw();
  EXPECT_FALSE(first.narrow(0, 0, 3).equal(first.narrow(0, 3, 3)));
  EXPECT_FALSE(draw().equal(first));
  set_random_state(state, other);
  EXPECT_TRUE(draw().equal(first));
  // A run goes on elsewhere: the CPU's numbers are those, the device's its own.
  set_random_state(random_state(at::kCPU), other);
  set_random_state(state, at::kCPU);
  EXPECT_TRUE(draw().narrow(0, 0, 3).equal(first.narrow(0, 0, 3)));
  EXPECT_THROW(check_random_state(at::zeros({10}, at::kByte)), c10::Error);
}

TEST(OtherDeviceTest, EmptyBatches) {
  const auto x = at::zeros({0, 32}, at::kComplexDouble).to(other_device),
             c = at::rand({2, 3}, at::kComplexDouble).to(other_device);
  const ops::FilterBankLayout layout{1, 1, 16, .5};
  const auto y = ops::filter_bank(x, c, layout);
  EXPECT_EQ(y.sizes(), at::IntArrayRef({0, 2, 2}));
  const auto [dL_dx, dL_dc] = ops::filter_bank_backward(y, x, c, layout, true, true);
  EXPECT_EQ(dL_dx.sizes(), x.sizes());
  EXPECT_TRUE(dL_dc.cpu().equal(at::zeros({2, 3}, at::kComplexDouble)));
}

TEST(OtherDeviceTest, ATensorOfTheCpuThatSlipsInIsAnError) {
  const auto x = at::ones({3}).to(other_device);
  EXPECT_THROW(x + at::ones({3}), c10::Error);
  EXPECT_THROW(at::cat({x, at::ones({3})}), c10::Error);
  EXPECT_THROW(x.index({at::ones({3}, at::kLong).narrow(0, 0, 1)}), c10::Error);
  EXPECT_TRUE((x + at::ones({})).cpu().equal(2 * at::ones({3}))) << "a number is none";
}

}  // namespace
}  // namespace optotorch::testing
