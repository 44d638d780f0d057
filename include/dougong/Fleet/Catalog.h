//===- Catalog.h - the built-in chips and sites -----------------*- C++ -*-===//
#ifndef DOUGONG_FLEET_CATALOG_H
#define DOUGONG_FLEET_CATALOG_H

#include "dougong/Fleet/Fleet.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace dougong::fleet {

/// A file of lib/Fleet/catalog, as it was when the compiler was built.
struct CatalogEntry {
  enum class Kind { Chip, Site, Sources };
  llvm::StringRef name; ///< file name without ".yaml"
  Kind kind;
  llvm::StringRef text;
};

/// All entries, by name.
llvm::ArrayRef<CatalogEntry> getCatalog();
/// The entry of a name, or null.
const CatalogEntry *findCatalogEntry(llvm::StringRef name);
/// The names nearest to one that is not there, for messages: "" or
/// "; did you mean 'x'?".
std::string suggestCatalogName(llvm::StringRef name);

/// A chip of the catalogue. "_" may stand for "-", as in symbols of IR.
llvm::Expected<Chip> loadCatalogChip(llvm::StringRef id);

/// A source that figures refer to by key.
struct Source {
  std::string key, title, date;
};
/// The source of a key in the catalogue, or null.
const Source *findSource(llvm::StringRef key);

} // namespace dougong::fleet

#endif // DOUGONG_FLEET_CATALOG_H
