//===- ThreadCollectives.cpp - ranks that are threads of one process ------===//
//
// A collective publishes each member's pointers, meets at a barrier, reads the
// others' memory directly, and meets again before anyone may change it. Small
// reductions copy through a slot per member and meet once.
//
//===----------------------------------------------------------------------===//
#include "dougong/Runtime/Collectives.h"
#include "dougong/Runtime/ElementType.h"

#include "CallHeader.h"
#include "Futex.h"
#include "Mailbox.h"
#include "Reduce.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>

using namespace dougong;
using Clock = std::chrono::steady_clock;

namespace {
constexpr std::size_t slotBytes = 4096;

/// A member's published state. Two of each: the next call's are written while
/// a slow member may still read this call's.
struct alignas(64) Member {
  std::array<CallHeader, 2> header;
  std::array<const void *, 2> source = {};
  std::array<void *, 2> destination = {};
  alignas(64) std::array<std::array<std::byte, slotBytes>, 2> slot;
  /// Barriers that this member has come to.
  std::atomic<std::uint32_t> arrivals{0};
};

/// What the members of a group share.
struct SharedGroup {
  explicit SharedGroup(std::vector<int> ranks)
      : ranks(std::move(ranks)), members(this->ranks.size()) {}
  std::vector<int> ranks;
  std::vector<Member> members;
  alignas(64) std::atomic<std::uint32_t> arrived{0};
  alignas(64) std::atomic<std::uint32_t> generation{0};
};

/// What all ranks share.
struct World {
  World(int ranks, const CollectivesOptions &options) : options(options), mail(ranks) {}

  CollectivesOptions options;
  std::atomic<bool> aborted{false};
  std::mutex mutex; // of the rest
  std::string abortMessage;
  /// The n-th group that has exactly these members.
  std::map<std::pair<std::vector<int>, int>, std::shared_ptr<SharedGroup>> groups;
  std::vector<Mailbox> mail;

  Error abortError() {
    std::lock_guard lock(mutex);
    return Error{abortMessage};
  }
};

struct Group {
  std::shared_ptr<SharedGroup> shared;
  std::size_t me = 0; // position of this rank
  unsigned parity = 0;
};

struct ThreadRequest : Collectives::Request {
  ~ThreadRequest() override {
    if (message)
      mailbox->withdraw(message);
  }
  std::shared_ptr<Message> message; // of a send
  Mailbox *mailbox = nullptr;       // of the receiver
  int peer = 0, tag = 0;
  void *destination = nullptr; // of a receive
  std::size_t bytes = 0;
};

class ThreadCollectives : public Collectives {
public:
  ThreadCollectives(std::shared_ptr<World> world, int rank);

  int rank() const override { return self; }
  int size() const override { return static_cast<int>(shared->mail.size()); }
  const char *backend() const override { return "threads"; }
  int localRanks() const override { return size(); }
  Result<int> createGroup(std::vector<int> ranks) override;
  const std::vector<int> &groupRanks(int group) const override {
    return groups[group].shared->ranks;
  }

  Result<void> allReduce(int group, const void *source, void *destination, std::int64_t count,
                         dougong_dtype dtype, dougong_reduction reduction,
                         const CallSite &site) override;
  Result<void> allGather(int group, const void *source, void *destination, std::int64_t count,
                         dougong_dtype dtype, const CallSite &site) override;
  Result<void> reduceScatter(int group, const void *source, void *destination, std::int64_t count,
                             dougong_dtype dtype, dougong_reduction reduction,
                             const CallSite &site) override;
  Result<void> allToAll(int group, const void *source, void *destination, std::int64_t count,
                        dougong_dtype dtype, const CallSite &site) override;
  Result<void> raggedAllToAll(int group, const RaggedRows &rows, dougong_dtype dtype,
                              const CallSite &site) override;
  Result<void> permute(int group, int from, const void *source, void *destination,
                       std::int64_t count, dougong_dtype dtype, const CallSite &site) override;
  Result<void> barrier(int group, const CallSite &site) override;

  Result<RequestPtr> startSend(int rank, int tag, const void *data, std::size_t bytes) override;
  Result<RequestPtr> startReceive(int rank, int tag, void *data, std::size_t bytes) override;
  Result<void> wait(std::span<RequestPtr> requests, const CallSite &site) override;
  void abort(const std::string &message, int exitCode) override;

private:
  Result<void> enter(Group &group, const CallHeader &header, const void *source, void *destination,
                     const CallSite &site);
  Result<void> meet(Group &group, const char *kind, const CallSite &site);
  Error timeoutError(const Group &group, const char *kind, const CallSite &site,
                     std::uint32_t arrival);
  /// Every member's published source, moved on by `offset` bytes.
  std::vector<const void *> sources(const Group &group, std::size_t offset) const;
  template <typename Ready>
  Result<void> waitForMail(Mailbox &mailbox, std::unique_lock<std::mutex> &lock, Ready ready,
                           const std::string &what);

  std::shared_ptr<World> shared;
  int self;
  std::vector<Group> groups;
  std::map<std::vector<int>, int> timesMade;
};
} // namespace

ThreadCollectives::ThreadCollectives(std::shared_ptr<World> world, int rank)
    : shared(std::move(world)), self(rank) {
  std::vector<int> all(shared->mail.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = static_cast<int>(i);
  (void)createGroup(std::move(all));
}

Result<int> ThreadCollectives::createGroup(std::vector<int> ranks) {
  auto found = std::find(ranks.begin(), ranks.end(), self);
  if (found == ranks.end())
    return Error{"rank " + std::to_string(self) + " makes a group that it is not in"};
  Group group;
  group.me = static_cast<std::size_t>(found - ranks.begin());
  int times = timesMade[ranks]++;
  std::lock_guard lock(shared->mutex);
  std::shared_ptr<SharedGroup> &entry = shared->groups[{ranks, times}];
  if (!entry)
    entry = std::make_shared<SharedGroup>(std::move(ranks));
  group.shared = entry;
  groups.push_back(std::move(group));
  return static_cast<int>(groups.size()) - 1;
}

Error ThreadCollectives::timeoutError(const Group &group, const char *kind, const CallSite &site,
                                      std::uint32_t arrival) {
  std::string missing;
  for (std::size_t i = 0; i < group.shared->ranks.size(); ++i)
    if (static_cast<std::int32_t>(group.shared->members[i].arrivals.load() - arrival) < 0)
      missing += (missing.empty() ? "" : ", ") + std::to_string(group.shared->ranks[i]);
  return Error{"rank " + std::to_string(self) + ": " + describeCall(kind, site) +
               " timed out after " + std::to_string(shared->options.timeout.count()) +
               " ms: no call from rank " + missing};
}

/// Waits until every member has come here.
Result<void> ThreadCollectives::meet(Group &group, const char *kind, const CallSite &site) {
  SharedGroup &all = *group.shared;
  std::uint32_t generation = all.generation.load(std::memory_order_acquire);
  std::uint32_t arrival = all.members[group.me].arrivals.fetch_add(1) + 1;
  if (all.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == all.ranks.size()) {
    all.arrived.store(0, std::memory_order_relaxed);
    all.generation.fetch_add(1, std::memory_order_acq_rel);
    futexWake(all.generation);
    return {};
  }
  auto passed = [&] { return all.generation.load(std::memory_order_acquire) != generation; };
  if (shared->options.spin && spinUntil(passed))
    return {};
  auto deadline = Clock::now() + shared->options.timeout;
  while (!passed()) {
    if (shared->aborted.load())
      return shared->abortError();
    if (Clock::now() >= deadline)
      return timeoutError(group, kind, site, arrival);
    // In slices: an abort does not know on which group we wait.
    futexWait(all.generation, generation, std::chrono::milliseconds(50));
  }
  return {};
}

/// Publishes a call, waits for the others and compares it with theirs.
Result<void> ThreadCollectives::enter(Group &group, const CallHeader &header, const void *source,
                                      void *destination, const CallSite &site) {
  if (shared->aborted.load())
    return shared->abortError();
  group.parity ^= 1;
  Member &mine = group.shared->members[group.me];
  mine.header[group.parity] = header;
  mine.source[group.parity] = source;
  mine.destination[group.parity] = destination;
  if (Result<void> met = meet(group, nameOf(header.kind), site); !met)
    return met;
  for (std::size_t i = 0; i < group.shared->ranks.size(); ++i) {
    const CallHeader &other = group.shared->members[i].header[group.parity];
    if (other == header)
      continue;
    return ranksDisagree(self, header, group.shared->ranks[i], other);
  }
  return {};
}

std::vector<const void *> ThreadCollectives::sources(const Group &group, std::size_t offset) const {
  std::vector<const void *> result;
  for (const Member &member : group.shared->members)
    result.push_back(static_cast<const std::byte *>(member.source[group.parity]) + offset);
  return result;
}

Result<void> ThreadCollectives::allReduce(int id, const void *source, void *destination,
                                          std::int64_t count, dougong_dtype dtype,
                                          dougong_reduction reduction, const CallSite &site) {
  if (Result<void> valid = checkReduction(dtype, reduction); !valid)
    return valid;
  Group &group = groups[id];
  std::size_t size = elementBytes(dtype);
  CallHeader header{CallKind::AllReduce, dtype, site.call, count, reduction};
  std::int64_t members = static_cast<std::int64_t>(group.shared->ranks.size());

  if (count * size <= slotBytes) {
    // `enter` flips the parity: write the slot that it will publish.
    std::byte *slot = group.shared->members[group.me].slot[group.parity ^ 1].data();
    std::memcpy(slot, source, count * size);
    if (Result<void> entered = enter(group, header, slot, destination, site); !entered)
      return entered;
    reduceElements(dtype, reduction, sources(group, 0), {&destination, 1}, count);
    return {};
  }

  if (Result<void> entered = enter(group, header, source, destination, site); !entered)
    return entered;
  // Member m reduces the m-th slice and writes it to all. Nobody else reads that
  // slice of any source, so a destination may be its source.
  std::int64_t slice = (count + members - 1) / members;
  std::int64_t begin = std::min(count, slice * static_cast<std::int64_t>(group.me));
  std::int64_t end = std::min(count, begin + slice);
  std::vector<void *> results;
  for (Member &member : group.shared->members)
    results.push_back(static_cast<std::byte *>(member.destination[group.parity]) + begin * size);
  reduceElements(dtype, reduction, sources(group, begin * size), results, end - begin);
  return meet(group, "all_reduce", site);
}

Result<void> ThreadCollectives::allGather(int id, const void *source, void *destination,
                                          std::int64_t count, dougong_dtype dtype,
                                          const CallSite &site) {
  Group &group = groups[id];
  std::size_t bytes = count * elementBytes(dtype);
  if (Result<void> entered =
          enter(group, {CallKind::AllGather, dtype, site.call, count}, source, destination, site);
      !entered)
    return entered;
  std::byte *to = static_cast<std::byte *>(destination);
  for (const void *from : sources(group, 0)) {
    if (bytes)
      std::memcpy(to, from, bytes);
    to += bytes;
  }
  return meet(group, "all_gather", site);
}

Result<void> ThreadCollectives::reduceScatter(int id, const void *source, void *destination,
                                              std::int64_t count, dougong_dtype dtype,
                                              dougong_reduction reduction, const CallSite &site) {
  if (Result<void> valid = checkReduction(dtype, reduction); !valid)
    return valid;
  Group &group = groups[id];
  CallHeader header{CallKind::ReduceScatter, dtype, site.call, count, reduction};
  if (Result<void> entered = enter(group, header, source, destination, site); !entered)
    return entered;
  reduceElements(dtype, reduction, sources(group, group.me * count * elementBytes(dtype)),
                 {&destination, 1}, count);
  return meet(group, "reduce_scatter", site);
}

Result<void> ThreadCollectives::allToAll(int id, const void *source, void *destination,
                                         std::int64_t count, dougong_dtype dtype,
                                         const CallSite &site) {
  Group &group = groups[id];
  std::size_t bytes = count * elementBytes(dtype);
  if (Result<void> entered =
          enter(group, {CallKind::AllToAll, dtype, site.call, count}, source, destination, site);
      !entered)
    return entered;
  std::byte *to = static_cast<std::byte *>(destination);
  for (const void *from : sources(group, group.me * bytes)) {
    if (bytes)
      std::memcpy(to, from, bytes);
    to += bytes;
  }
  return meet(group, "all_to_all", site);
}

Result<void> ThreadCollectives::raggedAllToAll(int id, const RaggedRows &rows, dougong_dtype dtype,
                                               const CallSite &site) {
  Group &group = groups[id];
  std::size_t members = group.shared->ranks.size(), bytes = rows.row * elementBytes(dtype);
  std::string me = "rank " + std::to_string(self);
  Result<std::int64_t> sent =
      addUpRows({rows.counts, members}, rows.sourceRows, me + " sends", site);
  if (!sent)
    return sent.takeError();
  // Members read rows and counts of the others: what they publish is the description.
  CallHeader header{CallKind::RaggedAllToAll, dtype, site.call, rows.sourceRows * rows.row};
  if (Result<void> entered = enter(group, header, &rows, rows.destination, site); !entered)
    return entered;
  std::vector<const RaggedRows *> all;
  for (const void *published : sources(group, 0)) {
    all.push_back(static_cast<const RaggedRows *>(published));
    rows.received[all.size() - 1] = all.back()->counts[group.me];
  }
  Result<std::int64_t> got =
      addUpRows({rows.received, members}, rows.destinationRows, me + " receives", site);
  if (!got)
    return got.takeError();
  auto *to = static_cast<std::byte *>(rows.destination);
  for (const RaggedRows *from : all) {
    std::int64_t before = 0, count = from->counts[group.me];
    for (std::size_t m = 0; m < group.me; ++m)
      before += from->counts[m];
    if (count && bytes)
      std::memcpy(to, static_cast<const std::byte *>(from->source) + before * bytes, count * bytes);
    to += count * bytes;
  }
  std::fill_n(to, (rows.destinationRows - *got) * bytes, std::byte{0});
  return meet(group, "ragged_all_to_all", site);
}

Result<void> ThreadCollectives::permute(int id, int from, const void *source, void *destination,
                                        std::int64_t count, dougong_dtype dtype,
                                        const CallSite &site) {
  Group &group = groups[id];
  if (Result<void> entered =
          enter(group, {CallKind::Permute, dtype, site.call, count}, source, destination, site);
      !entered)
    return entered;
  const std::vector<int> &ranks = group.shared->ranks;
  std::size_t sender =
      std::find(ranks.begin(), ranks.end(), groupRanks(from)[group.me]) - ranks.begin();
  if (std::size_t bytes = count * elementBytes(dtype))
    std::memcpy(destination, group.shared->members[sender].source[group.parity], bytes);
  return meet(group, "permute", site);
}

Result<void> ThreadCollectives::barrier(int id, const CallSite &site) {
  return enter(groups[id], {CallKind::Barrier, DOUGONG_U8, site.call}, nullptr, nullptr, site);
}

Result<Collectives::RequestPtr> ThreadCollectives::startSend(int rank, int tag, const void *data,
                                                             std::size_t bytes) {
  if (rank < 0 || rank >= size())
    return Error{"rank " + std::to_string(self) + " sends to rank " + std::to_string(rank) +
                 " of " + std::to_string(size())};
  auto request = std::make_unique<ThreadRequest>();
  request->message = std::make_shared<Message>(Message{self, tag, data, bytes});
  request->mailbox = &shared->mail[rank];
  request->peer = rank;
  request->tag = tag;
  request->mailbox->post(request->message);
  return RequestPtr(std::move(request));
}

Result<Collectives::RequestPtr> ThreadCollectives::startReceive(int rank, int tag, void *data,
                                                                std::size_t bytes) {
  if (rank < 0 || rank >= size())
    return Error{"rank " + std::to_string(self) + " receives from rank " + std::to_string(rank) +
                 " of " + std::to_string(size())};
  auto request = std::make_unique<ThreadRequest>();
  request->peer = rank;
  request->tag = tag;
  request->destination = data;
  request->bytes = bytes;
  return RequestPtr(std::move(request));
}

template <typename Ready>
Result<void> ThreadCollectives::waitForMail(Mailbox &mailbox, std::unique_lock<std::mutex> &lock,
                                            Ready ready, const std::string &what) {
  auto deadline = Clock::now() + shared->options.timeout;
  while (!ready()) {
    if (shared->aborted.load())
      return shared->abortError();
    if (mailbox.changed.wait_until(lock, deadline) == std::cv_status::timeout && !ready())
      return Error{"rank " + std::to_string(self) + ": " + what + " timed out after " +
                   std::to_string(shared->options.timeout.count()) + " ms"};
  }
  return {};
}

Result<void> ThreadCollectives::wait(std::span<RequestPtr> requests, const CallSite &site) {
  // Receives first: another rank may wait for us to take what it sent.
  for (RequestPtr &pointer : requests) {
    auto *request = static_cast<ThreadRequest *>(pointer.get());
    if (!request || request->message)
      continue;
    Mailbox &mailbox = shared->mail[self];
    std::shared_ptr<Message> message;
    std::unique_lock lock(mailbox.mutex);
    Result<void> arrived = waitForMail(
        mailbox, lock,
        [&] { return (message = mailbox.take(request->peer, request->tag)) != nullptr; },
        describeCall("receive", site) + " from rank " + std::to_string(request->peer));
    if (!arrived)
      return arrived;
    lock.unlock();
    if (message->bytes != request->bytes) {
      mailbox.finish(*message);
      return Error{"rank " + std::to_string(self) + ": " + describeCall("receive", site) +
                   " from rank " + std::to_string(request->peer) + ": expected " +
                   std::to_string(request->bytes) + " bytes, got " +
                   std::to_string(message->bytes)};
    }
    if (request->bytes)
      std::memcpy(request->destination, message->data, request->bytes);
    mailbox.finish(*message);
    pointer.reset();
  }
  for (RequestPtr &pointer : requests) {
    auto *request = static_cast<ThreadRequest *>(pointer.get());
    if (!request)
      continue;
    Mailbox &mailbox = *request->mailbox;
    std::unique_lock lock(mailbox.mutex);
    Result<void> taken = waitForMail(
        mailbox, lock, [&] { return request->message->done; },
        describeCall("send", site) + " to rank " + std::to_string(request->peer));
    if (!taken)
      return taken;
    lock.unlock();
    pointer.reset();
  }
  return {};
}

void ThreadCollectives::abort(const std::string &message, int) {
  {
    std::lock_guard lock(shared->mutex);
    if (shared->aborted.load())
      return;
    shared->abortMessage = message;
    shared->aborted.store(true);
  }
  for (Mailbox &mailbox : shared->mail) {
    std::lock_guard lock(mailbox.mutex);
    mailbox.changed.notify_all();
  }
  std::lock_guard lock(shared->mutex);
  for (auto &[key, group] : shared->groups)
    futexWake(group->generation);
}

std::vector<std::unique_ptr<Collectives>>
dougong::createThreadCollectives(int ranks, const CollectivesOptions &options) {
  auto world = std::make_shared<World>(ranks, options);
  std::vector<std::unique_ptr<Collectives>> ends;
  for (int rank = 0; rank < ranks; ++rank)
    ends.push_back(std::make_unique<ThreadCollectives>(world, rank));
  return ends;
}
