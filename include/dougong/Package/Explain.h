//===- Explain.h - why is this here -----------------------------*- C++ -*-===//
#ifndef DOUGONG_PACKAGE_EXPLAIN_H
#define DOUGONG_PACKAGE_EXPLAIN_H

#include "dougong/Package/plan.pb.h"
#include "dougong/Support/DimExpr.h"
#include "dougong/Support/Json.h"
#include "dougong/Support/Result.h"

#include <string>
#include <string_view>

namespace dougong {

/// What a plan says about one thing, as text and as data.
struct Explanation {
  std::string subject;
  std::string text;
  /// Objects, each with "kind" ("rank", "stage", "value", "weight", "node") and
  /// fields of that kind; the text says the same.
  Json::Array facts;

  /// {"subject", "facts"}.
  Json toJson() const;
};

/// What a plan says about one thing:
///
/// * a rank ("3" or "rank 3"): its stage, place, coordinates, groups, its part
///   of each value and weight, its work;
/// * a stage by name: its ranks, chips, program and memory;
/// * a value or weight by name: where it is made, read, cut and stored;
/// * an ONNX node by name: the stages and ranks that run it, how its outputs are
///   cut, the collectives that serve it, its cost, work that every rank repeats
///   and why, slow paths.
///
/// A name may be several of these; the answer then holds all. Parts of values are
/// index ranges where `symbols` gives every extent, else "part 1 of 2". Fails,
/// with the most similar names, if the plan says nothing about `subject`.
Result<Explanation> explainPlan(const plan::v1::Plan &plan, std::string_view subject,
                                const SymbolValues &symbols = {});

} // namespace dougong

#endif // DOUGONG_PACKAGE_EXPLAIN_H
