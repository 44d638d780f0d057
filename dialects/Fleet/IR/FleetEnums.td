//===- FleetEnums.td - words of the fleet dialect -------------------------===//
#ifndef DOUGONG_FLEET_ENUMS
#define DOUGONG_FLEET_ENUMS

include "Fleet/IR/FleetDialect.td"

class Fleet_Enum<string name, string description, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, description, cases> {
  let cppNamespace = "::dougong::fleet";
}

def Fleet_FigureKind : Fleet_Enum<"FigureKind", "how a figure came to be known", [
  I32EnumAttrCase<"Measured", 0, "measured">,
  I32EnumAttrCase<"Published", 1, "published">,
  I32EnumAttrCase<"Derived", 2, "derived">,
  I32EnumAttrCase<"Recalled", 3, "recalled">,
]>;

def Fleet_LinkDirection : Fleet_Enum<"LinkDirection", "what a bandwidth counts", [
  I32EnumAttrCase<"Unknown", 0, "unknown">,
  I32EnumAttrCase<"Uni", 1, "uni">,
  I32EnumAttrCase<"Bi", 2, "bi">,
]>;

def Fleet_CrossVia : Fleet_Enum<"CrossVia", "how data crosses between pools", [
  I32EnumAttrCase<"HostStaged", 0, "host_staged">,
  I32EnumAttrCase<"Library", 1, "library">,
]>;

def Fleet_PolicyBasis : Fleet_Enum<"PolicyBasis", "what a share counts", [
  I32EnumAttrCase<"Chips", 0, "chips">,
  I32EnumAttrCase<"PeakFlops", 1, "peak_flops">,
  I32EnumAttrCase<"Cost", 2, "cost">,
]>;

def Fleet_JudgedScope : Fleet_Enum<"JudgedScope", "what a policy is about", [
  I32EnumAttrCase<"Site", 0, "site">,
  I32EnumAttrCase<"Cluster", 1, "cluster">,
  I32EnumAttrCase<"Job", 2, "job">,
]>;

#endif // DOUGONG_FLEET_ENUMS
