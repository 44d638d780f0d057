//===- FleetDialect.td - the fleet dialect --------------------------------===//
#ifndef DOUGONG_FLEET_DIALECT
#define DOUGONG_FLEET_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def Fleet_Dialect : Dialect {
  let name = "fleet";
  let cppNamespace = "::dougong::fleet";
  let summary = "chips, levels of network, pools and policies of a site";
  let description = [{
    A site is a symbol table of declarations: chips, levels of network, pools of
    equal chips, paths between pools, policies. Other dialects refer to a pool
    as `@site::@pool`. Every number is a `#fleet.figure`, which says where it
    comes from; a number that is not known is left out.

    A fleet file converts to a site and back without loss. What the compiler
    reads has an attribute of its own; everything else of the file is in the
    dictionary `details`, under the keys of the file.

    ```mlir
    fleet.site @lab {
      fleet.pool @ascend chip(@ascend_910b3) count(2)
      fleet.pool @metax chip(@metax_c500) count(2)
    }
    ```
  }];
  let useDefaultAttributePrinterParser = 1;
}

#endif // DOUGONG_FLEET_DIALECT
