//===- Plugin.h - parts of the runtime that are loaded when asked for -----===//
#ifndef DOUGONG_LIB_RUNTIME_PLUGIN_H
#define DOUGONG_LIB_RUNTIME_PLUGIN_H

#include "dougong/Support/Result.h"

namespace dougong {

/// A part of the runtime in a library of its own, for it needs libraries that not every
/// machine has.
struct Plugin {
  const char *file;  ///< "libdougong_mpi.so", beside the runtime library
  const char *entry; ///< name of its C function
  const char *what;  ///< "the MPI back end", for messages
  const char *advice;
  bool isGlobal = false; ///< its symbols are seen by libraries that it loads itself
};

/// The plug-in's function; loads it. Fails, with the advice, where it cannot be loaded.
Result<void *> loadPlugin(const Plugin &plugin);

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_PLUGIN_H
