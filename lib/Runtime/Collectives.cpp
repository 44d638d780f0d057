//===- Collectives.cpp - what the back ends share -------------------------===//
#include "dougong/Runtime/Collectives.h"

#include "Plugin.h"

#include <array>

using namespace dougong;

Collectives::~Collectives() = default;
Collectives::Request::~Request() = default;

Result<void> Collectives::send(int rank, int tag, const void *data, std::size_t bytes,
                               const CallSite &site) {
  Result<RequestPtr> request = startSend(rank, tag, data, bytes);
  if (!request)
    return request.takeError();
  return wait({&*request, 1}, site);
}

Result<void> Collectives::receive(int rank, int tag, void *data, std::size_t bytes,
                                  const CallSite &site) {
  Result<RequestPtr> request = startReceive(rank, tag, data, bytes);
  if (!request)
    return request.takeError();
  return wait({&*request, 1}, site);
}

std::string dougong::describeCall(const char *kind, const CallSite &site) {
  std::string text = kind;
  if (site.call >= 0)
    text += " (call " + std::to_string(site.call);
  if (site.node && *site.node)
    text += std::string(site.call >= 0 ? ", " : " (") + "node '" + site.node + "'";
  return site.call >= 0 || (site.node && *site.node) ? text + ")" : text;
}

Result<std::int64_t> dougong::addUpRows(std::span<const std::int64_t> counts, std::int64_t room,
                                        const std::string &what, const CallSite &site) {
  std::int64_t sum = 0;
  for (std::int64_t count : counts) {
    if (count < 0 || count > room - sum)
      return Error{what + " " + std::to_string(count) + " rows in " +
                   describeCall("ragged_all_to_all", site) + ", but has room for " +
                   std::to_string(room - sum) + " of " + std::to_string(room)};
    sum += count;
  }
  return sum;
}

Result<std::unique_ptr<Collectives>>
dougong::createMpiCollectives(const CollectivesOptions &options) {
  // Global: Open MPI's own plug-ins look for its symbols there.
  Result<void *> entry =
      loadPlugin({"libdougong_mpi.so", mpiCollectivesEntryName, "the MPI back end",
                  "install Open MPI, or run with --ranks threads", /*isGlobal=*/true});
  if (!entry)
    return entry.takeError();
  auto create = reinterpret_cast<MpiCollectivesEntry>(*entry);
  std::array<char, 512> error = {};
  Collectives *collectives = create(&options, error.data(), error.size());
  if (!collectives)
    return Error{error.data()};
  return std::unique_ptr<Collectives>(collectives);
}
