//===- LinkSharedLibrary.cpp - object to shared library with lld ----------===//
#include "Internal.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace dougong;

/// A temporary file with the bytes of the object; removed at scope exit by the
/// caller.
static llvm::Error writeTemporary(llvm::StringRef bytes, llvm::SmallVectorImpl<char> &path) {
  int descriptor = -1;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("dougong", "o", descriptor, path))
    return llvm::createStringError(error, "cannot create a temporary object file");
  llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
  stream << bytes;
  stream.close();
  if (stream.has_error()) {
    std::error_code error = stream.error();
    stream.clear_error();
    return llvm::createStringError(error, "cannot write the temporary object file");
  }
  return llvm::Error::success();
}

llvm::Error cpu::linkSharedLibrary(llvm::StringRef object, llvm::StringRef path) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);

  llvm::SmallString<128> input;
  llvm::scope_exit remove([&] {
    if (!input.empty())
      llvm::sys::fs::remove(input);
  });
  if (llvm::Error error = writeTemporary(object, input))
    return error;
  std::string output = path.str();
  // Nothing of the build may show in the bytes: no build id, no debug sections,
  // one thread. The names of the kernels stay: profilers show them.
  const char *arguments[] = {"ld.lld",
                             "-shared",
                             "-nostdlib",
                             "--hash-style=gnu",
                             "--build-id=none",
                             "--strip-debug",
                             "--threads=1",
                             "-z",
                             "relro",
                             "-z",
                             "now",
                             "-o",
                             output.c_str(),
                             input.c_str()};
  std::string out, err;
  llvm::raw_string_ostream outStream(out), errStream(err);
  lld::Result result = lld::lldMain(arguments, outStream, errStream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return llvm::createStringError("cannot link '" + output + "': " + errStream.str());
  return llvm::Error::success();
}
