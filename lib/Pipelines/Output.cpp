//===- Output.cpp - where a compilation may write -------------------------===//
#include "Output.h"

#include "dougong/Package/Plan.h"
#include "dougong/Package/Report.h"
#include "dougong/Support/Json.h"
#include "dougong/Target/Onnx/Annotate.h"
#include "dougong/Target/Onnx/Manifest.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"

#include <cerrno>
#include <set>

#include <fcntl.h>
#include <unistd.h>

using namespace dougong;
using llvm::StringRef;
namespace fs = std::filesystem;

/// The path from the root on, without "." and ".." and a last slash.
static fs::path normalise(StringRef folder) {
  std::error_code ignored;
  fs::path path = (fs::current_path(ignored) / folder.str()).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

/// The names that belong to the output in a folder; nothing if it holds none of that
/// kind.
static std::optional<std::set<std::string>> getOwnEntries(const fs::path &path, OutputKind kind) {
  std::set<std::string> own;
  std::error_code ignored;
  if (kind == OutputKind::Package) {
    if (!fs::exists(path / std::string(planFileName), ignored) || !readPlan(path))
      return std::nullopt;
    for (std::string_view name : {planFileName, programsFolderName, weightsFolderName,
                                  std::string_view(reportFileName), std::string_view("onnx")})
      own.insert(std::string(name));
    return own;
  }
  Result<std::string> text = readFile(path / exporter::manifestFileName.str());
  Result<Json> manifest = text ? Json::parse(*text) : Result<Json>(text.takeError());
  const Json *format = manifest ? manifest->find("format") : nullptr;
  if (!format || *format != Json(exporter::manifestFormat.str()))
    return std::nullopt;
  own = {exporter::manifestFileName.str(), exporter::annotatedFileName.str()};
  if (const Json *stages = manifest->find("stages"); stages && stages->asArray())
    for (const Json &stage : *stages->asArray())
      if (const Json *name = stage.find("name"); name && name->asString())
        own.insert(*name->asString());
  return own;
}

/// Fails unless `path` is new, an empty folder, or one with output of that kind and
/// nothing else in it: these may be replaced. `shown` is its name in messages.
static llvm::Error checkReplaceable(const fs::path &path, StringRef shown, OutputKind kind) {
  std::error_code code;
  auto refuse = [&](const std::string &why) {
    return llvm::createStringError("output folder '" + shown.str() + "' " + why +
                                   ": give another one");
  };
  if (!fs::exists(path, code))
    return llvm::Error::success();
  if (!fs::is_directory(path, code))
    return refuse("is a file");
  fs::path current = fs::current_path(code);
  for (fs::path outer = current; !code; outer = outer.parent_path()) {
    if (fs::equivalent(outer, path, code))
      return refuse(outer == current ? "is the current folder" : "holds the current folder");
    if (!outer.has_relative_path())
      break;
  }
  std::set<std::string> entries;
  for (fs::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code))
    entries.insert(entry->path().filename().string());
  if (code)
    return refuse("cannot be read (" + code.message() + ")");
  if (entries.empty())
    return llvm::Error::success();
  std::string what = kind == OutputKind::Package ? "package" : "export to ONNX";
  std::optional<std::set<std::string>> own = getOwnEntries(path, kind);
  if (!own)
    return refuse("exists and is no " + what);
  for (const std::string &entry : entries)
    if (!own->count(entry))
      return refuse("holds '" + entry + "', which is no part of a" +
                    (kind == OutputKind::Package ? " " : "n ") + what);
  return llvm::Error::success();
}

fs::path PendingFolder::beside(const char *kind) const {
  return target.string() + "." + kind + "-" + std::to_string(llvm::sys::Process::getProcessId());
}

llvm::Expected<PendingFolder> PendingFolder::create(StringRef target, OutputKind kind) {
  std::error_code code;
  PendingFolder result;
  result.kind = kind;
  result.target = normalise(target);
  result.folder = result.beside("tmp");
  fs::remove_all(result.folder, code);
  result.guard = RemoveOnInterrupt(result.folder);
  fs::create_directories(result.folder, code);
  if (code)
    return llvm::createStringError("cannot make folder '" + result.folder.string() +
                                   "': " + code.message());
  return result;
}

PendingFolder::~PendingFolder() {
  std::error_code ignored;
  if (!folder.empty())
    fs::remove_all(folder, ignored);
}

/// Writes what a file or a folder holds from memory to the disk.
static llvm::Error sync(const fs::path &path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  // Not every file system can sync a folder.
  int failed = descriptor < 0 || (::fsync(descriptor) != 0 && errno != EINVAL) ? errno : 0;
  if (descriptor >= 0)
    ::close(descriptor);
  if (failed == 0)
    return llvm::Error::success();
  return llvm::createStringError("cannot write '" + path.string() +
                                 "' to the disk: " + std::generic_category().message(failed));
}

/// Or a loss of power after the rename could leave a package with empty files.
static llvm::Error syncAll(const fs::path &folder) {
  std::error_code code;
  for (fs::recursive_directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code))
    if (!entry->is_symlink() && (entry->is_regular_file() || entry->is_directory()))
      if (llvm::Error error = sync(entry->path()))
        return error;
  if (code)
    return llvm::createStringError("cannot read '" + folder.string() + "': " + code.message());
  return sync(folder);
}

llvm::Error PendingFolder::commit() {
  // It may have changed while the model was compiled.
  if (llvm::Error error = checkReplaceable(target, target.string(), kind))
    return error;
  if (llvm::Error error = syncAll(folder))
    return error;
  std::error_code code;
  fs::path old = beside("old");
  bool replaces = fs::exists(fs::symlink_status(target, code));
  if (replaces) {
    fs::rename(target, old, code);
    if (code)
      return llvm::createStringError("cannot move '" + target.string() + "' to '" + old.string() +
                                     "': " + code.message());
  }
  fs::rename(folder, target, code);
  if (code) {
    std::string message = "cannot write '" + target.string() + "': " + code.message();
    if (replaces)
      fs::rename(old, target, code);
    if (replaces && code)
      message += "; what was there is now '" + old.string() + "': " + code.message();
    return llvm::createStringError(message);
  }
  folder.clear();
  if (llvm::Error error = sync(target.parent_path()))
    return error;
  if (replaces)
    fs::remove_all(old, code);
  if (code)
    return llvm::createStringError("'" + target.string() + "' is written, but '" + old.string() +
                                   "', which it replaces, cannot be removed: " + code.message());
  return llvm::Error::success();
}

/// Trying is the only sure test: permissions are not all that forbids it.
static std::error_code tryToWrite(const fs::path &folder) {
  fs::path trial =
      folder / (".dougong-trial-" + std::to_string(llvm::sys::Process::getProcessId()));
  RemoveOnInterrupt guard(trial);
  std::error_code code;
  if (fs::create_directory(trial, code); !code)
    fs::remove(trial, code);
  return code;
}

llvm::Error dougong::checkOutputFolder(StringRef folder, OutputKind kind) {
  std::error_code code;
  auto refuse = [&](const std::string &why) {
    return llvm::createStringError("output folder '" + folder.str() + "' " + why);
  };
  fs::path parent = normalise(folder);
  if (llvm::Error error = checkReplaceable(parent, folder, kind))
    return error;
  // The output is made beside its place, under the nearest folder that exists.
  do
    parent = parent.parent_path();
  while (!fs::exists(parent, code) && parent.has_relative_path());
  if (!fs::is_directory(parent, code))
    return refuse("cannot be made: '" + parent.string() + "' is a file");
  if (std::error_code failed = tryToWrite(parent))
    return refuse("cannot be made in '" + parent.string() + "': " + failed.message());
  return llvm::Error::success();
}

llvm::Error dougong::checkOutputFile(StringRef path) {
  auto refuse = [&](const std::string &why) {
    return llvm::createStringError("output file '" + path.str() + "' " + why +
                                   ": give another one");
  };
  std::error_code code;
  if (fs::is_directory(path.str(), code))
    return refuse("is a folder");
  if (fs::exists(path.str(), code) && !fs::is_regular_file(path.str(), code))
    return refuse("is no regular file");
  fs::path folder = normalise(path).parent_path();
  if (!fs::is_directory(folder, code))
    return refuse("cannot be made: there is no folder '" + folder.string() + "'");
  if (std::error_code failed = tryToWrite(folder))
    return refuse("cannot be made in '" + folder.string() + "': " + failed.message());
  return llvm::Error::success();
}

llvm::Error dougong::makeOutputFolder(StringRef folder) {
  std::error_code code;
  fs::create_directories(folder.str(), code);
  if (!code)
    code = tryToWrite(folder.str());
  if (code)
    return llvm::createStringError("folder '" + folder.str() +
                                   "' cannot be written: " + code.message() + ": give another one");
  return llvm::Error::success();
}
