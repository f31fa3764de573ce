#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/idx.h>
#include <support/errors.h>
#include <support/idx_files.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace optotorch {
namespace {

using testing::Bytes;
using testing::gzipped;
using testing::idx;
using testing::idx_header;
using testing::noise;
using testing::TemporaryFolder;

void expect_bytes(const at::Tensor& tensor, const Bytes& expected) {
  ASSERT_EQ(static_cast<size_t>(tensor.numel()), expected.size());
  EXPECT_EQ(std::memcmp(tensor.const_data_ptr(), expected.data(), expected.size()), 0);
}

TEST(IdxTest, ReadsBytesAsTheyAre) {
  const TemporaryFolder folder;
  const Bytes values = noise(3 * 5 * 7);
  const auto tensor = read_idx(folder.write("x", idx(8, {3, 5, 7}, values)));
  EXPECT_EQ(tensor.scalar_type(), at::kByte);
  EXPECT_EQ(tensor.sizes(), (at::IntArrayRef{3, 5, 7}));
  expect_bytes(tensor, values);
  EXPECT_EQ(tensor[2][4][6].item<int>(), values.back());
}

TEST(IdxTest, PackedEqualsPlainWhateverTheName) {
  const TemporaryFolder folder;
  // Far larger unpacked than packed, so that the memory has to grow, and not a power of two.
  Bytes values(300007, 7);
  const Bytes some = noise(5000);
  std::copy(some.begin(), some.end(), values.begin() + 100000);
  const Bytes file = idx(8, {300007}, values);
  expect_bytes(read_idx(folder.write("a", file)), values);
  expect_bytes(read_idx(folder.write("b.gz", gzipped(file))), values);
  expect_bytes(read_idx(folder.write("c", gzipped(file))), values);
  expect_bytes(read_idx(folder.write("d.gz", file)), values);
}

TEST(IdxTest, ReadsFilesOfSeveralGzipMembers) {
  const TemporaryFolder folder;
  const Bytes values = noise(1000);
  const Bytes file = idx(8, {1000}, values);
  for (const size_t cut : {size_t{2}, size_t{8}, size_t{500}, file.size()}) {
    Bytes packed = gzipped(Bytes(file.begin(), file.begin() + cut));
    const Bytes rest = gzipped(Bytes(file.begin() + cut, file.end()));
    packed.insert(packed.end(), rest.begin(), rest.end());
    expect_bytes(read_idx(folder.write("x.gz", packed)), values);
  }
}

/// As gzip does: blocks of tapes and disks are filled up with them.
TEST(IdxTest, ZeroBytesBehindAGzipMemberArePadding) {
  const TemporaryFolder folder;
  const Bytes values = noise(1000);
  const Bytes file = idx(8, {1000}, values);
  for (const size_t zeros : {size_t{1}, size_t{512}, size_t{200'000}}) {
    Bytes padded = gzipped(file);
    padded.resize(padded.size() + zeros);
    expect_bytes(read_idx(folder.write("x.gz", padded)), values);
    // Also between two members.
    padded = gzipped(Bytes(file.begin(), file.begin() + 500));
    padded.resize(padded.size() + zeros);
    const Bytes rest = gzipped(Bytes(file.begin() + 500, file.end()));
    padded.insert(padded.end(), rest.begin(), rest.end());
    expect_bytes(read_idx(folder.write("x.gz", padded)), values);
    padded.push_back('j');
    EXPECT_ANY_THROW(read_idx(folder.write("x.gz", padded)));
  }
}

TEST(IdxTest, ReadsEveryTypeAsBigEndian) {
  const TemporaryFolder folder;
  const auto read = [&](uint8_t code, uint32_t count, const Bytes& values) {
    return read_idx(folder.write("x", idx(code, {count}, values)));
  };
  const auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return a.scalar_type() == b.scalar_type() && a.equal(b);
  };
  EXPECT_TRUE(same(read(0x09, 2, {0x7f, 0x80}), at::tensor({127, -128}, at::kChar)));
  EXPECT_TRUE(same(read(0x0B, 2, {0x01, 0x02, 0xff, 0xfe}), at::tensor({258, -2}, at::kShort)));
  EXPECT_TRUE(same(read(0x0C, 2, {0x01, 0x02, 0x03, 0x04, 0xff, 0xff, 0xff, 0xfd}),
                   at::tensor({16909060, -3}, at::kInt)));
  EXPECT_TRUE(same(read(0x0D, 1, {0xbf, 0xc0, 0, 0}), at::tensor({-1.5}, at::kFloat)));
  EXPECT_TRUE(same(read(0x0E, 1, {0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18}),
                   at::tensor({3.141592653589793}, at::kDouble)));
}

TEST(IdxTest, RejectsWhatIsNoIdxFile) {
  const TemporaryFolder folder;
  const auto reading = [&](const Bytes& bytes) { return read_idx(folder.write("some-file", bytes)); };
  EXPECT_SAYS(reading({}), "an empty file");
  EXPECT_SAYS(reading({0, 0, 8}), "ends before its header");
  EXPECT_SAYS(reading({0, 0, 8, 3, 0, 0, 0, 1, 0, 0}), "ends before its header");
  EXPECT_SAYS(reading({'P', 'K', 3, 4, 0, 0, 0, 0}), "magic number");
  EXPECT_SAYS(reading({0, 1, 8, 1, 0, 0, 0, 1, 5}), "magic number");
  EXPECT_SAYS(reading(idx(0x0A, {1}, {5})), "type code");
  EXPECT_SAYS(reading(idx(8, {}, {5})), "number of dimensions");
  EXPECT_SAYS(reading(idx(8, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {5})), "number of dimensions");
  EXPECT_SAYS(reading(idx(8, {3, 0, 2}, {})), "size of dimension 1");
  EXPECT_SAYS(reading(idx(0x0A, {1}, {5})), "some-file");
  EXPECT_SAYS(read_idx(folder.path()), "regular file");
  EXPECT_SAYS(read_idx(folder.path() + "/absent"), "nothing of that name");
  const auto pipe = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_SAYS(read_idx(pipe), "expected a readable regular file, got a pipe");  // it does not wait
}

TEST(IdxTest, RejectsPlainFilesOfAnotherLengthThanPromised) {
  const TemporaryFolder folder;
  const Bytes values = noise(12);
  const auto reading = [&](const Bytes& bytes) { return read_idx(folder.write("x", bytes)); };
  EXPECT_NO_THROW(reading(idx(8, {3, 4}, values)));
  EXPECT_NO_THROW(reading(idx(0x0C, {3}, values)));
  EXPECT_SAYS(reading(idx(8, {13}, values)), "truncated");
  EXPECT_SAYS(reading(idx(8, {11}, values)), "appended");
  EXPECT_SAYS(reading(idx(0x0C, {4}, values)), "truncated");
  EXPECT_SAYS(reading(idx(0x0E, {1}, values)), "appended");
}

/// Lets the process take so many more bytes of address space, and no more, while it lives: memory that is
/// taken but never touched counts too.
class AddressSpaceLimit {
 public:
  explicit AddressSpaceLimit(uint64_t more) {
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    getrlimit(RLIMIT_AS, &before_);
    rlimit limit = before_;
    limit.rlim_cur = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) + more;
    EXPECT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  }
  AddressSpaceLimit(const AddressSpaceLimit&) = delete;
  AddressSpaceLimit& operator=(const AddressSpaceLimit&) = delete;
  ~AddressSpaceLimit() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_ = {};
};

constexpr uint64_t mebibyte = 1 << 20;

TEST(IdxTest, TakesNoMemoryForAnEmptyPromise) {
  const TemporaryFolder folder;
  const std::vector<std::vector<uint32_t>> promises = {
      {1u << 20, 1u << 20},
      {1u << 31, 1u << 31, 1u << 31},
      {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
      // 2^64 bytes: nothing, if the product wrapped around.
      {1u << 31, 1u << 31, 4},
      {1u << 16, 1u << 16, 1u << 16, 1u << 16}};
  for (const auto& sizes : promises) {
    for (const uint8_t code : {uint8_t{0x08}, uint8_t{0x0E}}) {
      const Bytes file = idx(code, sizes, noise(64));
      const auto plain = folder.write("x", file);
      const auto packed = folder.write("x.gz", gzipped(file));
      const AddressSpaceLimit limit(64 * mebibyte);
      EXPECT_SAYS(read_idx(plain), "sizes");
      EXPECT_SAYS(read_idx(packed), "sizes");
    }
  }
}

TEST(IdxTest, UnpacksPieceByPiece) {
  const TemporaryFolder folder;
  // 2 MiB on disk could unpack to the gigabyte that the header promises, so that the length does not give it
  // away.
  const Bytes lie = gzipped(idx(8, {1u << 30}, noise(2 * mebibyte)));
  ASSERT_GT(uint64_t{lie.size()} * 1032, uint64_t{1} << 30);
  const auto path = folder.write("lie.gz", lie);
  // The other lie: a bomb, 64 MiB of zeros behind a header that speaks of ten bytes.
  const auto bomb = folder.write("bomb.gz", gzipped(idx(8, {10}, Bytes(64 * mebibyte))));
  const AddressSpaceLimit limit(32 * mebibyte);
  EXPECT_SAYS(read_idx(path), "truncated");
  EXPECT_SAYS(read_idx(bomb), "more");
}

TEST(IdxTest, RejectsPackedFilesOfAnotherLengthThanPromised) {
  const TemporaryFolder folder;
  const Bytes values = noise(20000);
  const auto reading = [&](uint32_t size) {
    return read_idx(folder.write("x.gz", gzipped(idx(8, {size}, values))));
  };
  EXPECT_NO_THROW(reading(20000));
  EXPECT_SAYS(reading(20001), "truncated");
  EXPECT_SAYS(reading(19999), "more");
}

TEST(IdxTest, RejectsEveryTruncationOfAPackedFile) {
  const TemporaryFolder folder;
  const Bytes packed = gzipped(idx(8, {10, 10}, noise(100)));
  for (size_t length = 0; length < packed.size(); ++length) {
    const auto path = folder.write("x.gz", Bytes(packed.begin(), packed.begin() + length));
    EXPECT_ANY_THROW(read_idx(path)) << length;
  }
}

TEST(IdxTest, RejectsEveryFlippedBitOfAPackedFile) {
  const TemporaryFolder folder;
  const Bytes values = noise(100);
  const Bytes packed = gzipped(idx(8, {10, 10}, values));
  size_t rejected = 0;
  for (size_t bit = 0; bit < 8 * packed.size(); ++bit) {
    Bytes broken = packed;
    broken[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    const auto path = folder.write("x.gz", broken);
    try {
      // Time, operating system and the like in gzip's header say nothing about the contents.
      expect_bytes(read_idx(path), values);
    } catch (const std::exception&) {
      ++rejected;
    }
  }
  // After ten bytes of header at most a few bits, which pad a stored block, may go unnoticed.
  EXPECT_GE(rejected, 8 * (packed.size() - 11));
}

TEST(IdxTest, RejectsWhatFollowsAPackedFile) {
  const TemporaryFolder folder;
  Bytes packed = gzipped(idx(8, {10, 10}, noise(100)));
  packed.insert(packed.end(), {'j', 'u', 'n', 'k'});
  EXPECT_ANY_THROW(read_idx(folder.write("x.gz", packed)));
}

}  // namespace
}  // namespace optotorch
