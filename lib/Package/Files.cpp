//===- Files.cpp - the folder of a package --------------------------------===//

#include "dougong/Package/Plan.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace dougong {

namespace fs = std::filesystem;

static Error systemError(std::string_view action, const fs::path &path) {
  return Error{"cannot " + std::string(action) + " '" + path.string() +
               "': " + std::strerror(errno)};
}

Result<std::string> readFile(const fs::path &path) {
  std::error_code isFolder;
  if (fs::is_directory(path, isFolder))
    return Error{"cannot read '" + path.string() + "': it is a folder"};
  std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(std::fopen(path.c_str(), "rb"),
                                                        std::fclose);
  if (!file)
    return systemError("read", path);
  std::string contents;
  char buffer[65536];
  while (std::size_t size = std::fread(buffer, 1, sizeof buffer, file.get()))
    contents.append(buffer, size);
  if (std::ferror(file.get()))
    return systemError("read", path);
  return contents;
}

Result<void> writeFileAtomically(const fs::path &path, std::string_view contents) {
  // mkstemp makes a name that no other process uses, in the same file system.
  std::string temporary = path.string() + ".XXXXXX";
  int file = ::mkstemp(temporary.data());
  if (file < 0)
    return systemError("write", path);
  auto failure = [&](int descriptor) {
    Error error = systemError("write", path);
    if (descriptor >= 0)
      ::close(descriptor);
    ::unlink(temporary.c_str());
    return error;
  };

  while (!contents.empty()) {
    ssize_t written = ::write(file, contents.data(), contents.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return failure(file);
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  // mkstemp's 0600 would hide the package from the users of a shared folder.
  mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(file, 0666 & ~mask) != 0 || ::fsync(file) != 0)
    return failure(file);
  if (::close(file) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0)
    return failure(-1);
  return {};
}

Result<void> createPackage(const fs::path &package) {
  for (const fs::path &folder :
       {package, package / programsFolderName, package / weightsFolderName}) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
      return Error{"cannot make folder '" + folder.string() + "': " + error.message()};
  }
  return {};
}

Result<fs::path> packagePath(const fs::path &package, std::string_view relative) {
  fs::path path = fs::path(relative).lexically_normal();
  if (relative.empty() || path.is_absolute() || path == "." || *path.begin() == "..")
    return Error{"'" + std::string(relative) + "' is not a file inside the package"};
  return package / path;
}

} // namespace dougong
