#include <ATen/ATen.h>
#include <c10/util/Flags.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/distributed.h>
#include <optotorch/trainers/interrupt.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string_view>
#include <thread>

#if __has_include(<torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>)
#define OPTOTORCH_HAS_GLOO 1
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

C10_DECLARE_int(caffe2_log_level);

namespace optotorch {
namespace {

constexpr char in_distributed[] = "Distributed";
constexpr char failed_key[] = "failed", reporter_key[] = "reporter", left_key[] = "left";

using Clock = std::chrono::steady_clock;

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds));
}

/// A variable of the environment; empty if it is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int64_t number_in(const char* name, int64_t least, int64_t most) {
  const auto text = variable(name);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  OPTOTORCH_CHECK(error == std::errc() && end == text.data() + text.size() && value >= least && value <= most,
                  .where = in_distributed, .argument = name,
                  .expected = c10::str("an integer from ", least, " to ", most),
                  .got = text.empty() ? "none" : "'" + text + "'",
                  .remedy = "torchrun sets it, or a job's script");
  return value;
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

/// What c10d and Gloo say, without their sources' lines and good wishes.
std::string in_short(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find("] ");
    text.remove_prefix(end == std::string_view::npos ? 0 : end + 2);
  }
  return first_line(text.substr(0, text.find(". ")));
}

/// The first lines in which two texts differ.
std::pair<std::string, std::string> difference(const std::string& a, const std::string& b) {
  std::istringstream left(a), right(b);
  std::string one, other;
  do {
    one.clear();
    other.clear();
    std::getline(left, one);
    std::getline(right, other);
  } while (one == other && (left || right));
  return {one, other};
}

void check(const DistributedOptions& options) {
  constexpr int64_t most_ranks = 1 << 20;
  OPTOTORCH_CHECK(options.world_size() >= 1 && options.world_size() <= most_ranks, .where = in_distributed,
                  .argument = "world_size", .expected = c10::str("1 to ", most_ranks),
                  .got = std::to_string(options.world_size()));
  OPTOTORCH_CHECK(options.rank() >= 0 && options.rank() < options.world_size(), .where = in_distributed,
                  .argument = "rank", .expected = c10::str("0 to ", options.world_size() - 1),
                  .got = std::to_string(options.rank()));
  OPTOTORCH_CHECK(options.port() >= 1 && options.port() <= 65535, .where = in_distributed, .argument = "port",
                  .expected = "1 to 65535", .got = std::to_string(options.port()));
  OPTOTORCH_CHECK(std::isfinite(options.timeout()) && options.timeout() > 0 && options.timeout() < 1e9,
                  .where = in_distributed, .argument = "timeout", .expected = "seconds, above 0",
                  .got = c10::str(options.timeout()));
}

}  // namespace

#ifdef OPTOTORCH_HAS_GLOO

struct Distributed::Group {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;

  explicit Group(const DistributedOptions& options) {
    const auto timeout = milliseconds(options.timeout());
    if (options.file().empty()) {
      c10d::TCPStoreOptions tcp;
      tcp.port = static_cast<std::uint16_t>(options.port());
      tcp.isServer = options.serves() && options.rank() == 0;
      tcp.waitWorkers = false;  // Gloo waits for them, too, and says who is missing
      tcp.timeout = timeout;
      store = c10::make_intrusive<c10d::TCPStore>(options.address(), tcp);
    } else {
      store = c10::make_intrusive<c10d::FileStore>(options.file(), static_cast<int>(options.world_size()));
    }
    store = c10::make_intrusive<c10d::PrefixStore>(c10::str("optotorch/attempt_", options.attempt()), store);
    store->setTimeout(timeout);
    gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(
        store, static_cast<int>(options.rank()), static_cast<int>(options.world_size()),
        c10d::ProcessGroupGloo::Options::create_default(timeout));
  }

  /// Sums, of all tensors at the same time.
  void all_reduce(const std::vector<at::Tensor>& tensors) const {
    std::vector<c10::intrusive_ptr<c10d::Work>> works;
    for (const auto& tensor : tensors) {
      std::vector<at::Tensor> one{tensor};
      works.push_back(gloo->allreduce(one));
    }
    for (const auto& work : works) {
      work->wait();
    }
  }
  void set(const std::string& key, const std::string& text) const {
    store->set(key, std::vector<uint8_t>(text.begin(), text.end()));
  }
  std::string get(const std::string& key) const {
    const auto bytes = store->get(key);
    return {bytes.begin(), bytes.end()};
  }
  bool has(const std::string& key) const { return store->check({key}); }
  /// True for the first rank that asks.
  bool is_first(const std::string& key) const { return count(key) == 1; }
  /// How many ranks have asked, this one included.
  int64_t count(const std::string& key, int64_t one = 1) const { return store->add(key, one); }
};

/// What c10d warns of when a rank or the store is lost is said once, and better, by `lost`.
void keep_c10d_quiet() {
  constexpr int errors = 2;
  FLAGS_caffe2_log_level = std::max(FLAGS_caffe2_log_level, errors);
}

#else

void keep_c10d_quiet() {}

struct Distributed::Group {
  explicit Group(const DistributedOptions& /*options*/) {
    reject({.where = in_distributed,
            .argument = "LibTorch",
            .expected = "one that was built with Gloo",
            .got = "one without",
            .remedy = "The wheels of PyTorch have it"});
  }
  void all_reduce(const std::vector<at::Tensor>& /*tensors*/) const {}
  void set(const std::string& /*key*/, const std::string& /*text*/) const {}
  std::string get(const std::string& /*key*/) const { return ""; }
  bool has(const std::string& /*key*/) const { return false; }
  bool is_first(const std::string& /*key*/) const { return false; }
  int64_t count(const std::string& /*key*/, int64_t /*one*/ = 1) const { return 0; }
};

#endif

Distributed::Distributed(const DistributedOptions& options) : options_(options) {
  check(options);
  keep_c10d_quiet();
  try {
    group_ = std::make_unique<Group>(options);
  } catch (const c10::ValueError&) {
    throw;
  } catch (const std::exception& error) {
    const auto place = options.file().empty() ? c10::str(options.address(), ":", options.port())
                                              : "the file " + options.file();
    reject(
        {.where = in_distributed,
         .argument = "the store at " + place,
         .expected = c10::str("all ", options.world_size(), " ranks there within ", options.timeout(), " s"),
         .got = in_short(error.what()),
         .remedy = "Is MASTER_ADDR the host of rank 0, and does every rank run?"});
  }
}

Distributed::~Distributed() {
  try {
    // The store outlives those who may yet ask it why all end.
    const auto patience = Clock::now() + std::chrono::seconds(3);
    const bool serves = options_.serves() && rank() == 0 && options_.file().empty();
    auto left = group_->count(left_key);
    while (serves && left < world_size() && Clock::now() < patience) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      left = group_->count(left_key, 0);
    }
  } catch (const std::exception&) {
    // The store is lost.
  }
}

std::shared_ptr<Distributed> Distributed::from_environment() {
  if (variable("WORLD_SIZE").empty() && variable("RANK").empty()) {
    return nullptr;
  }
  const int64_t world_size = number_in("WORLD_SIZE", 1, 1 << 20);
  DistributedOptions options(number_in("RANK", 0, world_size - 1), world_size);
  if (world_size == 1) {
    return nullptr;
  }
  OPTOTORCH_CHECK(!variable("MASTER_ADDR").empty(), .where = in_distributed, .argument = "MASTER_ADDR",
                  .expected = "the host of rank 0", .got = "none",
                  .remedy = "torchrun sets it, or a job's script");
  options.address(variable("MASTER_ADDR")).port(number_in("MASTER_PORT", 1, 65535)).attempt(restarts());
  options.serves(variable("TORCHELASTIC_USE_AGENT_STORE") != "True");
  constexpr char patience[] = "OPTOTORCH_RANKS_TIMEOUT";
  if (!variable(patience).empty()) {
    options.timeout(static_cast<double>(number_in(patience, 1, 1 << 30)));
  }
  return std::make_shared<Distributed>(options);
}

int64_t Distributed::restarts() {
  return variable("TORCHELASTIC_RESTART_COUNT").empty() ? 0
                                                        : number_in("TORCHELASTIC_RESTART_COUNT", 0, 1 << 30);
}

template <typename Call>
void Distributed::together(const Call& call) {
  try {
    call();
  } catch (const RankEnded&) {
    throw;
  } catch (const std::exception& error) {
    lost(in_short(error.what()));
  }
}

void Distributed::lost(const std::string& why) {
  // Whoever ends by an error of its own says so just before or after it leaves.
  bool reports = false;
  try {
    const auto patience = Clock::now() + std::chrono::seconds(2);
    while (!group_->has(failed_key)) {
      if (Clock::now() > patience) {
        reports = group_->is_first(reporter_key);
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  } catch (const std::exception&) {
    reports = true;  // the store is lost, too: nobody knows who is left, and twice is better than not at all
  }
  if (!reports) {
    throw RankEnded();
  }
  speaks_ = true;
  reject({.where = in_distributed,
          .argument = "ranks",
          .expected = c10::str("all ", world_size(), " at work"),
          .got = "one that is lost (" + why + ")",
          .remedy =
              "Its own log may say why; go on from the checkpoint with --resume, or let torchrun do it by "
              "--max-restarts"});
}

std::vector<double> Distributed::weighted_mean(const std::vector<torch::Tensor>& tensors, double weight,
                                               const std::vector<double>& values) {
  std::map<at::ScalarType, std::vector<at::Tensor>> groups;
  for (const auto& tensor : tensors) {
    const auto numbers = tensor.is_complex() ? at::view_as_real(tensor.detach()) : tensor.detach();
    groups[numbers.scalar_type()].push_back(numbers);
  }
  std::vector<at::Tensor> messages;
  for (const auto& [type, group] : groups) {
    std::vector<at::Tensor> rows;
    for (const auto& numbers : group) {
      rows.push_back(numbers.reshape(-1));
    }
    messages.push_back(at::cat(rows).mul_(weight));
  }
  auto with_weight = values;
  with_weight.push_back(weight);
  messages.push_back(at::tensor(with_weight, at::kDouble));
  together([&] { group_->all_reduce(messages); });
  const auto* const sums = messages.back().const_data_ptr<double>();
  auto message = messages.begin();
  for (const auto& [type, group] : groups) {
    const auto all = message->div_(sums[values.size()]);
    ++message;
    int64_t first = 0;
    for (const auto& numbers : group) {
      numbers.copy_(all.narrow(0, first, numbers.numel()).view(numbers.sizes()));
      first += numbers.numel();
    }
  }
  return {sums, sums + values.size()};
}

std::vector<double> Distributed::sum(std::vector<double> values) {
  const auto all = at::tensor(values, at::kDouble);
  together([&] { group_->all_reduce({all}); });
  std::copy_n(all.const_data_ptr<double>(), values.size(), values.begin());
  return values;
}

std::string Distributed::waited_for(const std::string& key) {
  std::string text;
  const auto patience = Clock::now() + milliseconds(options_.timeout());
  together([&] {
    while (!group_->has(key)) {
      if (group_->has(failed_key) || InterruptGuard::requested()) {
        throw RankEnded();
      }
      TORCH_CHECK(Clock::now() < patience, "nothing from it for ", options_.timeout(), " s");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    text = group_->get(key);
  });
  return text;
}

std::vector<std::string> Distributed::gather(const std::string& name, const std::string& text) {
  const int64_t number = gathers_++;  // what was said before under the same name stays in the store
  const auto key = [&](int64_t rank) { return c10::str(name, "/", number, "/", rank); };
  together([&] { group_->set(key(rank()), text); });
  std::vector<std::string> all;
  for (int64_t other = 0; other < world_size(); ++other) {
    all.push_back(waited_for(key(other)));
  }
  return all;
}

void Distributed::require_same(const std::string& argument, const std::string& text,
                               const std::string& remedy) {
  const auto all = gather(argument, text);
  for (int64_t other = 1; other < world_size(); ++other) {
    const auto& theirs = all[static_cast<size_t>(other)];
    if (theirs == all.front()) {
      continue;
    }
    if (rank() > 0) {
      throw RankEnded();  // rank 0 says it
    }
    const auto [here, there] = difference(all.front(), theirs);
    reject({.where = in_distributed,
            .argument = argument,
            .expected = "the same on all ranks",
            .got = c10::str("'", here, "' on rank 0 and '", there, "' on rank ", other),
            .remedy = remedy});
  }
}

bool Distributed::fail() noexcept {
  try {
    const bool is_first = speaks_ || group_->is_first(reporter_key);
    group_->set(failed_key, "");
    return is_first;
  } catch (const std::exception&) {
    return true;  // the store is lost: the others will find out by themselves
  }
}

}  // namespace optotorch
