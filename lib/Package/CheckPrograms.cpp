//===- CheckPrograms.cpp - what a program needs is consistent -------------===//
//
// Ids: abi-version, sharding, group, call, weights, symbol.
//
//===----------------------------------------------------------------------===//

#include "Checker.h"
#include "DataTypes.h"
#include "dougong-c/program.h"
#include "dougong/Package/Boxes.h"
#include "dougong/Support/DimExpr.h"
#include "dougong/Support/Reducible.h"

#include <algorithm>
#include <array>

namespace dougong::package {
namespace {

using plan::v1::Mesh;
using plan::v1::Program;

/// A cut needs an extent that is known before the run: one whose symbols the extents
/// of the model's inputs tell.
void checkCut(Checker &checker, const plan::v1::Value &value, const std::string &subject) {
  std::set<std::string> told;
  for (const auto &input : checker.plan.model().inputs())
    for (const std::string &text : input.dims())
      if (Result<DimExpr> dim = DimExpr::parse(text))
        told.merge(dim->symbols());
  for (int d = 0; d < std::min(value.sharding_size(), value.dims_size()); ++d) {
    Result<DimExpr> dim = DimExpr::parse(value.dims(d));
    if (!dim || value.sharding(d).axes().empty())
      continue;
    for (const std::string &symbol : dim->symbols())
      if (!told.contains(symbol))
        checker.error("sharding", subject,
                      "it is cut along dim " + std::to_string(d) + ", whose extent " +
                          quote(value.dims(d)) + " depends on data: no input tells " +
                          quote(symbol),
                      "leave this dim whole in the strategy");
  }
}

void checkPort(Checker &checker, const plan::v1::Value &value,
               const std::vector<const Mesh *> &meshes, const std::string &subject) {
  if (!isDataType(value.dtype()))
    checker.error("schema", subject, "unknown element type " + std::to_string(value.dtype()));
  for (const std::string &dim : value.dims()) {
    auto extent = checker.expression(dim, subject);
    if (extent && extent->constant().value_or(0) < 0)
      checker.error("symbol", subject, "extent " + quote(dim) + " is negative");
  }
  // Only the axes and units matter here, so any extents will do.
  std::vector<std::int64_t> extents(static_cast<std::size_t>(value.dims_size()), 1);
  for (const Mesh *mesh : meshes) {
    if (!Checker::sizeOf(*mesh))
      continue;
    auto layout = ShardLayout::create(*mesh, value.sharding(), extents);
    if (!layout)
      checker.error("sharding", subject, layout.message());
  }
  checkCut(checker, value, subject);
}

void checkGroups(Checker &checker, const Program &program, const std::vector<const Mesh *> &meshes,
                 const std::string &name) {
  for (int i = 0; i != program.groups_size(); ++i) {
    std::string subject = name + " group " + std::to_string(i);
    if (program.groups(i).axes().empty())
      checker.error("group", subject, "it has no axes");
    for (const Mesh *mesh : meshes)
      checker.checkAxes(program.groups(i).axes(), *mesh, "group", subject);
  }
}

/// What the program ABI's table offers.
struct CallKind {
  std::string_view name;
  bool reduces;
};
constexpr std::array<CallKind, 6> callKinds = {{{"all_reduce", true},
                                                {"all_gather", false},
                                                {"reduce_scatter", true},
                                                {"all_to_all", false},
                                                {"ragged_all_to_all", false},
                                                {"permute", false}}};
constexpr std::array<std::string_view, 4> reductions = {"sum", "max", "min", "prod"};

template <typename Array> std::string choices(const Array &array) {
  std::string text;
  for (const auto &entry : array) {
    std::string_view name;
    if constexpr (requires { entry.name; })
      name = entry.name;
    else
      name = entry;
    text += (text.empty() ? "" : ", ") + std::string(name);
  }
  return text;
}

/// A permutation goes between two orders of the same axes.
template <typename Fail>
void checkSenders(const Program &program, const plan::v1::Call &call, Fail fail) {
  auto groups = static_cast<std::uint32_t>(program.groups_size());
  if (call.from() >= groups) {
    fail("its senders are group " + std::to_string(call.from()) + ", but the program has " +
         std::to_string(groups) + " groups");
    return;
  }
  if (call.group() >= groups)
    return;
  const auto &axes = program.groups(static_cast<int>(call.group())).axes();
  const auto &from = program.groups(static_cast<int>(call.from())).axes();
  if (!std::is_permutation(axes.begin(), axes.end(), from.begin(), from.end()))
    fail("its senders, group " + std::to_string(call.from()) +
         ", are not along the axes of group " + std::to_string(call.group()));
}

void checkCall(Checker &checker, const Program &program, const plan::v1::Call &call,
               const std::string &subject) {
  auto fail = [&](std::string message) { checker.error("call", subject, std::move(message)); };
  auto kind = std::find_if(callKinds.begin(), callKinds.end(),
                           [&](const CallKind &k) { return k.name == call.kind(); });
  if (kind == callKinds.end())
    fail("kind " + quote(call.kind()) + " is not one of " + choices(callKinds));
  if (call.group() >= static_cast<std::uint32_t>(program.groups_size()))
    fail("it is over group " + std::to_string(call.group()) + ", but the program has " +
         std::to_string(program.groups_size()) + " groups");
  if (call.kind() == "permute")
    checkSenders(program, call, fail);
  else if (call.from() != 0)
    fail(call.kind() + " has no senders of their own, got group " + std::to_string(call.from()));
  bool reduces = kind != callKinds.end() && kind->reduces;
  if (reduces &&
      std::find(reductions.begin(), reductions.end(), call.reduction()) == reductions.end())
    fail("reduction " + quote(call.reduction()) + " is not one of " + choices(reductions));
  if (kind != callKinds.end() && !reduces && !call.reduction().empty())
    fail(call.kind() + " takes no reduction, got " + quote(call.reduction()));
  if (dataTypeBits(call.dtype()) % 8 != 0 || dataTypeBits(call.dtype()) == 0)
    fail("elements of " + dataTypeName(call.dtype()) + " cannot be sent");
  else if (reduces && !isReducible(call.dtype()))
    fail("elements of " + dataTypeName(call.dtype()) + " cannot be reduced");
  auto elements = checker.expression(call.elements(), subject);
  if (elements && elements->constant().value_or(0) < 0)
    fail("the number of elements is negative: " + call.elements());
}

void checkWeight(Checker &checker, const plan::v1::Weight &weight,
                 const std::vector<const Mesh *> &meshes, const std::string &subject) {
  auto fail = [&](std::string message) { checker.error("weights", subject, std::move(message)); };
  for (const Mesh *mesh : meshes) {
    std::int64_t expected = checker.checkAxes(weight.axes(), *mesh, "weights", subject);
    if (weight.shards_size() != expected)
      fail("it is cut into " + std::to_string(expected) + " by its axes of mesh " +
           quote(mesh->id()) + ", but there are " + std::to_string(weight.shards_size()) +
           " shards");
  }

  if (!isDataType(weight.dtype())) {
    fail("unknown element type " + std::to_string(weight.dtype()));
    return;
  }
  // Bits, for elements may be smaller than a byte. Strings have no fixed size.
  std::uint64_t bits = static_cast<std::uint64_t>(dataTypeBits(weight.dtype()));
  for (std::int64_t dim : weight.dims())
    if (dim < 0 || __builtin_mul_overflow(bits, static_cast<std::uint64_t>(dim), &bits)) {
      fail("dim " + std::to_string(dim) + " is negative, or the weight too large");
      return;
    }
  if (bits == 0 && dataTypeBits(weight.dtype()) == 0)
    return;
  std::uint64_t bytes = bits / 8 + (bits % 8 != 0);
  for (int i = 0; i != weight.shards_size(); ++i) {
    std::uint64_t actual = weight.shards(i).bytes();
    // A packed layout may be padded to whole tiles.
    bool rowMajor = weight.layout() == "row-major";
    if (rowMajor ? actual != bytes : actual < bytes)
      fail("shard " + std::to_string(i) + " has " + std::to_string(actual) + " bytes, its dims " +
           (rowMajor ? "need " : "need at least ") + std::to_string(bytes));
  }
}

void checkWork(Checker &checker, const plan::v1::Work &work, const std::string &name) {
  std::string subject = name + " work";
  checker.expression(work.matmul_flops(), subject, /*mayBeEmpty=*/true);
  checker.expression(work.flops(), subject, /*mayBeEmpty=*/true);
  checker.expression(work.sent_bytes(), subject, /*mayBeEmpty=*/true);
  for (const auto &replicated : work.replicated())
    checker.expression(replicated.flops(), subject, /*mayBeEmpty=*/true);
}

} // namespace

void checkPrograms(Checker &checker) {
  for (const auto &program : checker.plan.programs()) {
    std::string name = "program " + quote(program.id());
    auto meshes = checker.meshesOf(program);

    if (program.kind() == "cpu-so" && program.abi() != DOUGONG_PROGRAM_ABI)
      checker.error("abi-version", name,
                    "expected program ABI " + std::to_string(DOUGONG_PROGRAM_ABI) + ", got " +
                        std::to_string(program.abi()),
                    "compile again with this version, or run it with the one that made it");

    auto checkPorts = [&](const auto &values, const char *what) {
      for (int i = 0; i != values.size(); ++i)
        checkPort(checker, values[i], meshes,
                  name + " " + what + " " + std::to_string(i) + " " + quote(values[i].name()));
    };
    checkPorts(program.inputs(), "input");
    checkPorts(program.outputs(), "output");
    checkGroups(checker, program, meshes, name);
    for (int i = 0; i != program.calls_size(); ++i) {
      const auto &call = program.calls(i);
      checkCall(checker, program, call,
                name + " call " + std::to_string(i) +
                    (call.node().empty() ? "" : " (node " + quote(call.node()) + ")"));
    }
    for (const auto &weight : program.weights())
      checkWeight(checker, weight, meshes, name + " weight " + quote(weight.name()));
    checkWork(checker, program.work(), name);
  }
}

} // namespace dougong::package
