#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/text/ngrams.h>

namespace optotorch {
namespace {

void check_texts(const char* where, const Characters& train, const Characters& test) {
  OPTOTORCH_CHECK(train.vocabulary() == test.vocabulary(), .where = where, .argument = "test",
                  .expected = "the vocabulary of the text to train on",
                  .got = c10::str("another: ", test.vocabulary_size(), " characters, not the same ",
                                  train.vocabulary_size()),
                  .remedy = "Take both as parts of one text");
  for (const auto* text : {&train, &test}) {
    OPTOTORCH_CHECK(text->count() >= 2, .where = where, .argument = text == &train ? "train" : "test",
                    .expected = "at least 2 characters", .got = std::to_string(text->count()));
  }
}

at::Tensor befores(const at::Tensor& ids) {
  return ids.narrow(0, 0, ids.numel() - 1);
}

at::Tensor afters(const at::Tensor& ids) {
  return ids.narrow(0, 1, ids.numel() - 1);
}

/// mean(log2(all / some)), summed in order, so that it does not depend on the number of threads.
double mean_bits(const at::Tensor& all, const at::Tensor& some) {
  const at::Tensor bits = all.to(at::kDouble).log2() - some.to(at::kDouble).log2();
  const double* const value = bits.const_data_ptr<double>();
  double sum = 0;
  for (int64_t i = 0; i < bits.numel(); ++i) {
    sum += value[i];
  }
  return sum / static_cast<double>(bits.numel());
}

}  // namespace

double bigram_bits(const Characters& train, const Characters& test) {
  check_texts("bigram_bits", train, test);
  const int64_t size = train.vocabulary_size();
  // Only pairs that occur are counted: a table of all has size^2 entries, up to 10^12.
  const auto pairs = [size](const at::Tensor& ids) { return befores(ids) * size + afters(ids); };
  const auto [known, inverse, counts] =
      at::_unique2(pairs(train.ids()), /*sorted=*/true, /*return_inverse=*/false, /*return_counts=*/true);
  const at::Tensor asked = pairs(test.ids());
  const at::Tensor place = at::searchsorted(known, asked).clamp_max(known.numel() - 1);
  const at::Tensor of_pair = counts.index_select(0, place) * known.index_select(0, place).eq(asked);
  const at::Tensor of_first = befores(train.ids()).bincount({}, size).index_select(0, befores(test.ids()));
  return mean_bits(of_first + size, of_pair + 1);
}

double unigram_bits(const Characters& train, const Characters& test) {
  check_texts("unigram_bits", train, test);
  const int64_t size = train.vocabulary_size();
  const at::Tensor some = train.ids().bincount({}, size).index_select(0, afters(test.ids())) + 1;
  return mean_bits(at::full_like(some, train.count() + size), some);
}

}  // namespace optotorch
