#!/usr/bin/env python3
"""Writes a C++ source that holds the files of the catalogue.

usage: embed_catalog.py -o OUT.cpp FILE.yaml...

A file with a line "pools:" is a site, sources.yaml is the list of sources, any
other is a chip.
"""
import argparse
import pathlib
import re

HEADER = """\
// Written by embed_catalog.py; not to be edited.
#include "dougong/Fleet/Catalog.h"

using dougong::fleet::CatalogEntry;

static const CatalogEntry kEntries[] = {
"""
FOOTER = """\
};

llvm::ArrayRef<CatalogEntry> dougong::fleet::getCatalog() { return kEntries; }
"""


def kind_of(path: pathlib.Path, text: str) -> str:
    if path.stem == "sources":
        return "Sources"
    return "Site" if re.search(r"^pools:", text, re.MULTILINE) else "Chip"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", dest="output", required=True, type=pathlib.Path)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    entries = []
    for path in sorted(options.files, key=lambda p: p.stem):
        text = path.read_text(encoding="utf-8")
        if ')DGYAML"' in text:
            raise SystemExit(f"{path}: holds the end mark of the string literal")
        entries.append(
            f'    {{"{path.stem}", CatalogEntry::Kind::{kind_of(path, text)},\n'
            f'R"DGYAML({text})DGYAML"}},\n')
    options.output.write_text(HEADER + "".join(entries) + FOOTER, encoding="utf-8")


if __name__ == "__main__":
    main()
