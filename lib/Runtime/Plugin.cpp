//===- Plugin.cpp - parts of the runtime that are loaded when asked for ---===//
#include "Plugin.h"

#include <string>

#include <dlfcn.h>

using namespace dougong;

Result<void *> dougong::loadPlugin(const Plugin &plugin) {
  // It lies beside the library that holds this function.
  Dl_info self = {};
  std::string folder;
  if (dladdr(reinterpret_cast<void *>(&loadPlugin), &self) && self.dli_fname) {
    folder = self.dli_fname;
    std::size_t slash = folder.rfind('/');
    folder = slash == std::string::npos ? "" : folder.substr(0, slash + 1);
  }
  std::string path = folder + plugin.file;
  void *library = dlopen(path.c_str(), RTLD_NOW | (plugin.isGlobal ? RTLD_GLOBAL : RTLD_LOCAL));
  if (!library)
    return Error{std::string(plugin.what) + " cannot be loaded: " + dlerror() + "; " +
                 plugin.advice};
  void *entry = dlsym(library, plugin.entry);
  if (!entry)
    return Error{"'" + path + "' is not " + plugin.what + " of this version: it has no function " +
                 plugin.entry};
  return entry;
}
