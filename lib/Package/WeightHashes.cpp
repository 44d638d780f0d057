//===- WeightHashes.cpp - the bytes of weights are what was packed --------===//
#include "dougong/Package/WeightHashes.h"

#include "dougong/Support/Sha256.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

using namespace dougong;
using plan::v1::Segment;

namespace {

/// Bytes of a file that one thread reads.
struct Job {
  std::uint64_t begin, end;
  const Segment *segment; // nullptr: must be zero
  const std::string *hash;
};

class Descriptor {
public:
  explicit Descriptor(const std::filesystem::path &path)
      : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (number >= 0)
      ::close(number);
  }
  Descriptor(const Descriptor &) = delete;

  const int number;
};

/// What is wrong with the bytes of a job; empty: nothing.
std::string verify(int file, const Job &job, std::vector<char> &buffer) {
  Sha256 sum;
  bool zero = true;
  for (std::uint64_t at = job.begin; at != job.end;) {
    std::size_t wanted = std::min<std::uint64_t>(buffer.size(), job.end - at);
    ssize_t got = ::pread(file, buffer.data(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return std::string("cannot be read: ") + std::strerror(errno);
    if (got == 0)
      return "the file ends at byte " + std::to_string(at);
    if (job.segment)
      sum.update(buffer.data(), static_cast<std::size_t>(got));
    else
      zero &= std::all_of(buffer.begin(), buffer.begin() + got, [](char c) { return c == 0; });
    at += static_cast<std::uint64_t>(got);
  }
  if (!job.segment)
    return zero ? "" : "expected zeros, for no weight lies there";
  std::string digest = sum.finish();
  return digest == *job.hash ? "" : "expected sha256 " + *job.hash + ", got " + digest;
}

/// The blocks of segments in the order of the file, and what lies between.
std::vector<Job> listJobs(std::vector<const Segment *> segments, bool wholeFile,
                          std::uint64_t size) {
  std::sort(segments.begin(), segments.end(), [](const Segment *a, const Segment *b) {
    return std::pair(a->offset(), a->bytes()) < std::pair(b->offset(), b->bytes());
  });
  std::vector<Job> jobs;
  std::uint64_t covered = 0;
  auto cover = [&](std::uint64_t begin, std::uint64_t end) {
    if (wholeFile && begin > covered)
      jobs.push_back({covered, begin, nullptr, nullptr});
    covered = std::max(covered, end);
  };
  for (const Segment *segment : segments) {
    std::uint64_t begin = segment->offset(), end = begin + segment->bytes();
    cover(begin, end);
    for (const std::string &hash : segment->sha256()) {
      std::uint64_t next = std::min(begin + hashedBlock, end);
      jobs.push_back({begin, next, segment, &hash});
      begin = next;
    }
  }
  cover(size, size);
  return jobs;
}

} // namespace

std::vector<WeightDamage> dougong::findWeightDamage(const std::filesystem::path &path,
                                                    std::vector<const Segment *> segments,
                                                    bool wholeFile, int threads) {
  Descriptor file(path);
  off_t size = file.number < 0 ? -1 : ::lseek(file.number, 0, SEEK_END);
  if (size < 0)
    return {{0, 0, std::string("cannot be read: ") + std::strerror(errno), nullptr}};
  std::vector<Job> jobs =
      listJobs(std::move(segments), wholeFile, static_cast<std::uint64_t>(size));
  std::vector<std::string> messages(jobs.size());
  std::atomic<std::size_t> next = 0;
  auto work = [&] {
    std::vector<char> buffer(256 << 10); // stays in the second-level cache
    for (std::size_t job; (job = next++) < jobs.size();)
      messages[job] = verify(file.number, jobs[job], buffer);
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < std::min(static_cast<std::size_t>(std::max(threads, 1)), jobs.size());
       ++i)
    others.emplace_back(work);
  work();
  others.clear(); // joins
  std::vector<WeightDamage> damage;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    if (!messages[i].empty())
      damage.push_back({jobs[i].begin, jobs[i].end, std::move(messages[i]), jobs[i].segment});
  return damage;
}
