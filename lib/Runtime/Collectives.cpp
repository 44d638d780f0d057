//===- Collectives.cpp - what the back ends share -------------------------===//
#include "dougong/Runtime/Collectives.h"

#include <array>

#include <dlfcn.h>

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

Result<std::unique_ptr<Collectives>>
dougong::createMpiCollectives(const CollectivesOptions &options) {
  // The back end lies beside the library that holds this function.
  Dl_info self = {};
  std::string folder;
  if (dladdr(reinterpret_cast<void *>(&describeCall), &self) && self.dli_fname) {
    folder = self.dli_fname;
    std::size_t slash = folder.rfind('/');
    folder = slash == std::string::npos ? "" : folder.substr(0, slash + 1);
  }
  std::string path = folder + "libdougong_mpi.so";
  // Global: Open MPI's own plug-ins look for its symbols there.
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!library)
    return Error{std::string("the MPI back end cannot be loaded: ") + dlerror() +
                 "; install Open MPI, or run with --ranks threads"};
  auto create = reinterpret_cast<MpiCollectivesEntry>(dlsym(library, mpiCollectivesEntryName));
  if (!create)
    return Error{"'" + path + "' is no MPI back end of this version: it has no function " +
                 mpiCollectivesEntryName};
  std::array<char, 512> error = {};
  Collectives *collectives = create(&options, error.data(), error.size());
  if (!collectives)
    return Error{error.data()};
  return std::unique_ptr<Collectives>(collectives);
}
