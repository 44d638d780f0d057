//===- Loader.cpp - programs and weights of a package ---------------------===//
#include "dougong/Runtime/Loader.h"

#include "dougong/Package/Boxes.h"
#include "dougong/Package/WeightHashes.h"
#include "dougong/Runtime/ElementType.h"
#include "dougong/Support/Sha256.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace dougong;

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

Result<std::shared_ptr<LoadedProgram>> LoadedProgram::load(const std::filesystem::path &folder,
                                                           const plan::v1::Program &program) {
  auto refuse = [&](const std::string &why) {
    return Error{"program '" + program.id() + "' cannot be loaded: " + why};
  };
  if (program.kind() != "cpu-so")
    return refuse("it is of kind '" + program.kind() + "', this runner runs 'cpu-so' (target '" +
                  program.target() + "')");
  if (program.abi() != DOUGONG_PROGRAM_ABI)
    return refuse("it was made for program ABI " + std::to_string(program.abi()) +
                  ", this runner has " + std::to_string(DOUGONG_PROGRAM_ABI) +
                  "; compile the package again");
  Result<std::filesystem::path> path = packagePath(folder, program.path());
  if (!path)
    return refuse(path.message());
  Result<std::string> hash = sha256File(*path);
  if (!hash)
    return refuse(hash.message());
  if (*hash != program.sha256())
    return refuse("the SHA-256 of '" + path->string() + "' is " + *hash + ", the plan says " +
                  program.sha256() + "; compile the package again");

  std::shared_ptr<LoadedProgram> loaded(new LoadedProgram);
  // An absolute path: dlopen would search a name without a slash elsewhere.
  std::string name = std::filesystem::absolute(*path).string();
  loaded->library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!loaded->library)
    return refuse(dlerror());
  auto abi =
      reinterpret_cast<dougong_program_abi_fn>(dlsym(loaded->library, "dougong_program_abi"));
  loaded->shapes =
      reinterpret_cast<dougong_program_shapes_fn>(dlsym(loaded->library, "dougong_program_shapes"));
  loaded->run =
      reinterpret_cast<dougong_program_run_fn>(dlsym(loaded->library, "dougong_program_run"));
  if (!abi || !loaded->shapes || !loaded->run)
    return refuse("'" + name + "' lacks dougong_program_abi, _shapes or _run");
  if (int version = abi(); version != DOUGONG_PROGRAM_ABI)
    return refuse("its code says program ABI " + std::to_string(version) + ", this runner has " +
                  std::to_string(DOUGONG_PROGRAM_ABI));
  return loaded;
}

LoadedProgram::~LoadedProgram() {
  if (library)
    dlclose(library);
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

Result<std::shared_ptr<MappedFile>> MappedFile::map(const std::filesystem::path &path) {
  auto refuse = [&](const char *what) {
    return Error{std::string("cannot ") + what + " '" + path.string() +
                 "': " + std::strerror(errno)};
  };
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return refuse("open");
  std::shared_ptr<MappedFile> file(new MappedFile);
  struct stat facts = {};
  if (fstat(descriptor, &facts) != 0) {
    close(descriptor);
    return refuse("examine");
  }
  file->length = static_cast<std::size_t>(facts.st_size);
  if (file->length == 0) {
    close(descriptor);
    return file;
  }
  void *address = mmap(nullptr, file->length, PROT_READ, MAP_PRIVATE, descriptor, 0);
  int error = errno;
  close(descriptor);
  if (address == MAP_FAILED) {
    errno = error;
    return refuse("map");
  }
  // Advice only. Huge pages apply where the file system has them (tmpfs).
  madvise(address, file->length, MADV_HUGEPAGE);
  file->address = static_cast<const std::byte *>(address);
  return file;
}

MappedFile::~MappedFile() {
  if (address)
    munmap(const_cast<std::byte *>(address), length);
}

//===----------------------------------------------------------------------===//
// Package
//===----------------------------------------------------------------------===//

Result<std::shared_ptr<Package>> Package::open(const std::filesystem::path &path,
                                               bool trustWeights) {
  Result<plan::v1::Plan> plan = readUnchangedPlan(path);
  if (!plan)
    return plan.takeError();
  std::shared_ptr<Package> package(new Package);
  package->thePlan = std::move(*plan);
  package->trustWeights = trustWeights;
  std::error_code error;
  package->theFolder = std::filesystem::is_directory(path, error) ? path : path.parent_path();
  if (package->theFolder.empty())
    package->theFolder = ".";
  return package;
}

Result<std::shared_ptr<LoadedProgram>> Package::program(const plan::v1::Program &program) {
  std::lock_guard lock(mutex);
  std::shared_ptr<LoadedProgram> &entry = programs[program.path()];
  if (!entry) {
    Result<std::shared_ptr<LoadedProgram>> loaded = LoadedProgram::load(theFolder, program);
    if (!loaded)
      return loaded.takeError();
    entry = std::move(*loaded);
  }
  return entry;
}

Result<std::shared_ptr<MappedFile>> Package::file(const std::string &relative) {
  std::lock_guard lock(mutex);
  std::shared_ptr<MappedFile> &entry = files[relative];
  if (!entry) {
    Result<std::filesystem::path> path = packagePath(theFolder, relative);
    if (!path)
      return path.takeError();
    Result<std::shared_ptr<MappedFile>> mapped = MappedFile::map(*path);
    if (!mapped)
      return mapped.takeError();
    entry = std::move(*mapped);
  }
  return entry;
}

Result<void> Package::verify(const std::vector<const plan::v1::Segment *> &segments, int threads) {
  if (trustWeights)
    return {};
  std::map<std::string, std::vector<const plan::v1::Segment *>> fresh; // by file
  {
    std::lock_guard lock(mutex);
    for (const plan::v1::Segment *segment : segments)
      if (verified.insert({segment->file(), segment->offset(), segment->bytes()}).second)
        fresh[segment->file()].push_back(segment);
  }
  for (const auto &[name, ofFile] : fresh) {
    Result<std::filesystem::path> path = packagePath(theFolder, name);
    if (!path)
      return path.takeError();
    std::vector<WeightDamage> damage =
        findWeightDamage(*path, ofFile, /*wholeFile=*/false, threads);
    if (!damage.empty())
      return Error{"'" + path->string() + "', bytes " + std::to_string(damage[0].begin) + " to " +
                   std::to_string(damage[0].end) + ": " + damage[0].message +
                   "; copy the package again, or compile it again"};
  }
  return {};
}

/// Asks the kernel to read a segment ahead: of a large file a rank may need little.
static void readAhead(const std::byte *data, std::size_t size) {
  auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  auto begin = reinterpret_cast<std::uintptr_t>(data);
  std::uintptr_t start = begin / page * page;
  madvise(reinterpret_cast<void *>(start), size + (begin - start), MADV_WILLNEED);
}

/// Which of a weight's shards the rank at `coordinates` holds: row-major over
/// the weight's axes.
static Result<std::int64_t> shardIndex(const plan::v1::Weight &weight, const plan::v1::Mesh &mesh,
                                       const std::vector<std::int64_t> &coordinates) {
  std::int64_t index = 0;
  std::set<std::string> used;
  for (const std::string &name : weight.axes()) {
    auto axis = std::find_if(mesh.axes().begin(), mesh.axes().end(),
                             [&](const plan::v1::Axis &axis) { return axis.name() == name; });
    if (axis == mesh.axes().end())
      return Error{"weight '" + weight.name() + "' is cut along axis '" + name + "', which mesh '" +
                   mesh.id() + "' lacks"};
    // Distinct axes of a mesh have few ranks: the index cannot overflow.
    if (!used.insert(name).second)
      return Error{"weight '" + weight.name() + "' is cut along axis '" + name + "' twice"};
    index = index * axis->size() + coordinates[axis - mesh.axes().begin()];
  }
  if (index >= weight.shards_size())
    return Error{"weight '" + weight.name() + "' has " + std::to_string(weight.shards_size()) +
                 " shards, shard " + std::to_string(index) + " is needed on mesh '" + mesh.id() +
                 "'"};
  return index;
}

Result<RankWeights> Package::weights(const plan::v1::Program &program, const plan::v1::Mesh &mesh,
                                     const std::vector<std::int64_t> &coordinates, int threads) {
  RankWeights result;
  std::vector<const plan::v1::Segment *> used;
  std::set<std::pair<std::string, std::uint64_t>> counted;
  for (const plan::v1::Weight &weight : program.weights()) {
    Result<std::int64_t> index = shardIndex(weight, mesh, coordinates);
    if (!index)
      return index.takeError();
    const plan::v1::Segment &segment = weight.shards(static_cast<int>(*index));
    Result<std::shared_ptr<MappedFile>> mapped = file(segment.file());
    if (!mapped)
      return Error{"weight '" + weight.name() + "': " + mapped.message()};
    const MappedFile &bytes = **mapped;
    if (segment.offset() > bytes.size() || segment.bytes() > bytes.size() - segment.offset())
      return Error{"weight '" + weight.name() + "': bytes " + std::to_string(segment.offset()) +
                   " to " + std::to_string(segment.offset() + segment.bytes()) + " of '" +
                   segment.file() + "' are needed, it has " + std::to_string(bytes.size())};
    Result<std::size_t> needed =
        bufferBytes(weight.dtype(),
                    std::span(weight.dims().data(), static_cast<std::size_t>(weight.dims_size())));
    if (needed && weight.layout() == "row-major" && *needed != segment.bytes())
      return Error{"weight '" + weight.name() + "': " + elementTypeName(weight.dtype()) +
                   " needs " + std::to_string(*needed) + " bytes, its shard has " +
                   std::to_string(segment.bytes())};

    if (static_cast<std::uint64_t>(segment.sha256_size()) != countHashes(segment.bytes()))
      return Error{"weight '" + weight.name() + "': the plan has " +
                   std::to_string(segment.sha256_size()) + " hashes of a shard, expected " +
                   std::to_string(countHashes(segment.bytes())) + "; compile the package again"};
    if (segment.bytes())
      used.push_back(&segment);

    if (counted.insert({segment.file(), segment.offset()}).second)
      result.bytes += segment.bytes();
    const std::byte *data = bytes.data() + segment.offset();
    if (segment.bytes() == 0 || reinterpret_cast<std::uintptr_t>(data) % 64 != 0) {
      Result<Buffer> copy = Buffer::allocate(segment.bytes());
      if (!copy)
        return Error{"weight '" + weight.name() + "': " + copy.message()};
      if (segment.bytes())
        std::memcpy(copy->data(), data, segment.bytes());
      result.pointers.push_back(copy->data());
      result.copies.push_back(std::make_shared<Buffer>(std::move(*copy)));
    } else {
      readAhead(data, segment.bytes());
      result.pointers.push_back(const_cast<std::byte *>(data));
      result.files.push_back(std::move(*mapped));
    }
  }
  if (Result<void> right = verify(used, threads); !right)
    return right.takeError();
  return result;
}
