//===- MappedFile.cpp - a file in memory, a little at a time --------------===//
#include "MappedFile.h"

#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Process.h"

#include <cstring>
#include <sys/mman.h>

using namespace dougong;
namespace fs = llvm::sys::fs;

llvm::Expected<std::shared_ptr<MappedFile>> MappedFile::open(const std::string &path) {
  llvm::Expected<fs::file_t> file = fs::openNativeFileForRead(path);
  if (!file)
    return file.takeError();
  auto result = std::make_shared<MappedFile>();
  result->file = *file;
  fs::file_status status;
  if (std::error_code code = fs::status(*file, status))
    return llvm::errorCodeToError(code);
  if (status.getSize() == 0) // cannot be mapped
    return result;
  std::error_code code;
  result->region = fs::mapped_file_region(*file, fs::mapped_file_region::readonly, status.getSize(),
                                          /*offset=*/0, code);
  if (code)
    return llvm::errorCodeToError(code);
  return result;
}

MappedFile::~MappedFile() {
  if (file != fs::kInvalidFile)
    fs::closeFile(file);
}

void MappedFile::read(int64_t offset, char *out, int64_t bytes) const {
  while (bytes > 0) {
    llvm::Expected<size_t> got =
        fs::readNativeFileSlice(file, llvm::MutableArrayRef(out, bytes), offset);
    if (!got || *got == 0) { // as the mapping has it
      llvm::consumeError(got.takeError());
      std::memcpy(out, getBytes().data() + offset, bytes);
      return;
    }
    offset += *got;
    out += *got;
    bytes -= *got;
  }
}

int64_t MappedFile::getResident(int64_t runs, int64_t bytes) {
  constexpr int64_t neighbourhood = 64 << 10; // fault_around_bytes of Linux
  return runs * static_cast<int64_t>(llvm::alignTo(bytes, neighbourhood));
}

void MappedFile::release(int64_t offset, int64_t bytes) const {
  const int64_t page = llvm::sys::Process::getPageSizeEstimate();
  int64_t begin = llvm::alignDown(offset, page);
  if (bytes > 0)
    ::madvise(const_cast<char *>(region.const_data()) + begin, offset + bytes - begin,
              MADV_DONTNEED);
}
