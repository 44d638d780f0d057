//===- FleetAttrs.td - figures with provenance ----------------------------===//
#ifndef DOUGONG_FLEET_ATTRS
#define DOUGONG_FLEET_ATTRS

include "Fleet/IR/FleetEnums.td"

class Fleet_Attr<string name, string attrMnemonic> : AttrDef<Fleet_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Fleet_OtherValueAttr : Fleet_Attr<"OtherValue", "other"> {
  let summary = "the value that another source gives for a figure";
  let description = [{
    In the unit of the figure. Kind and source may be left out.

    Example: `#fleet.other<3.13344e14 derived "INI">`
  }];
  let parameters = (ins "::mlir::FloatAttr":$value,
                        "::std::optional<::dougong::fleet::FigureKind>":$kind,
                        "::mlir::StringAttr":$source);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Fleet_FigureAttr : Fleet_Attr<"Figure", "figure"> {
  let summary = "a number with its unit and its provenance";
  let description = [{
    `value` is an f64 above zero in the base unit: "B", "B/s", "s", "OP/s" (a
    multiply-add is 2), "Hz", "W", or "" for counts, ratios and money. `kind`
    says how it came to be known; `source` is the key of a source, `date` is its
    date. An integer may be written for the value.

    Examples:

    ```mlir
    #fleet.figure<68719476736 "B" published "INI" date "2026-08-22">
    #fleet.figure<2.94912e14 "OP/s" derived "INI" note "20 x 8192 x 1.8 GHz"
                  others [<3.13344e14 derived "INI">]>
    #fleet.figure<350 "W" recalled>
    ```
  }];
  let parameters = (ins "::mlir::FloatAttr":$value, "::mlir::StringAttr":$unit,
                        "::dougong::fleet::FigureKind":$kind, "::mlir::StringAttr":$source,
                        "::mlir::StringAttr":$date, "::mlir::StringAttr":$note,
                        ArrayRefParameter<"::dougong::fleet::OtherValueAttr">:$others);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The value in the base unit.
    double getNumber() const { return getValue().getValueAsDouble(); }
  }];
}

#endif // DOUGONG_FLEET_ATTRS
