//===- Wiring.cpp - a plan's stages, and what feeds what ------------------===//
#include "Wiring.h"

#include "dougong/Runtime/ElementType.h"
#include "dougong/Runtime/Tensor.h"

#include <algorithm>
#include <map>
#include <set>

using namespace dougong;
using plan::v1::Endpoint;
using plan::v1::Plan;
using plan::v1::Value;

namespace {
class Wirer {
public:
  Wirer(const Plan &plan, Wiring &wiring) : plan(plan), wiring(wiring) {}

  Result<void> addStages();
  Result<void> addTransfers();
  Result<void> orderStages();
  Result<void> addStates(const std::vector<std::pair<std::string, std::string>> &states);

private:
  Result<void> addTransfer(const plan::v1::Transfer &transfer, const std::string &what);
  Result<Origin> originOf(const Endpoint &from, const std::string &what) const;
  const Value &valueOf(const Origin &origin) const {
    return origin.isModel() ? plan.model().inputs(origin.index)
                            : wiring.stages[origin.stage].program->outputs(origin.index);
  }
  std::string nameOf(int stage) const { return "stage '" + plan.stages(stage).name() + "'"; }
  int addLink(const Origin &from, int stage, int index);

  const Plan &plan;
  Wiring &wiring;
};
} // namespace

template <typename Values> static int findValue(const Values &values, const std::string &name) {
  for (int i = 0; i < values.size(); ++i)
    if (values[i].name() == name)
      return i;
  return -1;
}

template <typename Things> static auto findId(const Things &things, const std::string &id) {
  return std::find_if(things.begin(), things.end(),
                      [&](const auto &thing) { return thing.id() == id; });
}

/// Two things with one id must be equal, or stages would silently get the first.
template <typename Things>
static Result<void> checkUniqueIds(const Things &things, const char *what) {
  std::map<std::string, std::string> seen;
  for (const auto &thing : things) {
    auto [place, isNew] = seen.emplace(thing.id(), thing.SerializeAsString());
    if (!isNew && place->second != thing.SerializeAsString())
      return Error{std::string("two different ") + what + " have the id '" + thing.id() + "'"};
  }
  return {};
}

Result<void> Wirer::addStages() {
  if (plan.stages().empty())
    return Error{"the plan has no stage"};
  if (Result<void> unique = checkUniqueIds(plan.programs(), "programs"); !unique)
    return unique;
  if (Result<void> unique = checkUniqueIds(plan.meshes(), "meshes"); !unique)
    return unique;
  wiring.world = 1;
  for (const plan::v1::Stage &stage : plan.stages()) {
    WiredStage wired;
    wired.stage = &stage;
    auto program = findId(plan.programs(), stage.program());
    if (program == plan.programs().end())
      return Error{"stage '" + stage.name() + "' names program '" + stage.program() +
                   "', which the plan lacks"};
    auto mesh = findId(plan.meshes(), stage.mesh());
    if (mesh == plan.meshes().end())
      return Error{"stage '" + stage.name() + "' names mesh '" + stage.mesh() +
                   "', which the plan lacks"};
    if (!mesh->has_first_rank() && plan.meshes_size() > 1)
      return Error{"mesh '" + mesh->id() + "' has no first rank; bind the plan first"};
    Result<std::int64_t> size = meshSize(*mesh);
    if (!size)
      return size.takeError();
    if (*size + mesh->first_rank() > (1 << 24))
      return Error{"mesh '" + mesh->id() + "' has ranks above 2^24"};
    wired.program = &*program;
    wired.mesh = &*mesh;
    wired.firstRank = static_cast<int>(mesh->first_rank());
    wired.ranks = static_cast<int>(*size);
    wired.inputs.resize(program->inputs_size());
    wired.inputLinks.assign(program->inputs_size(), -1);
    wired.outputLinks.resize(program->outputs_size());
    wiring.world = std::max(wiring.world, wired.firstRank + wired.ranks);
    wiring.stages.push_back(std::move(wired));
  }
  if (plan.ranks_size() != 0 && plan.ranks_size() != wiring.world)
    return Error{"the plan binds " + std::to_string(plan.ranks_size()) +
                 " ranks, its meshes have " + std::to_string(wiring.world)};
  return {};
}

Result<Origin> Wirer::originOf(const Endpoint &from, const std::string &what) const {
  Origin origin;
  if (from.place_case() == Endpoint::kModel) {
    origin.index = findValue(plan.model().inputs(), from.model());
    if (origin.index < 0)
      return Error{what + " comes from '" + from.model() + "', which is no model input"};
    return origin;
  }
  if (from.place_case() != Endpoint::kPort)
    return Error{what + " comes from nowhere"};
  origin.stage = static_cast<int>(from.port().stage());
  origin.index = static_cast<int>(from.port().index());
  if (from.port().stage() >= wiring.stages.size() ||
      from.port().index() >= wiring.stages[origin.stage].outputLinks.size())
    return Error{what + " comes from output " + std::to_string(from.port().index()) + " of stage " +
                 std::to_string(from.port().stage()) + ", which the plan lacks"};
  return origin;
}

int Wirer::addLink(const Origin &from, int stage, int index) {
  Link link;
  link.from = from;
  link.stage = stage;
  link.index = index;
  link.tag = static_cast<int>(wiring.links.size());
  const WiredStage &source = wiring.stages[from.stage], &target = wiring.stages[stage];
  const Value &output = source.program->outputs(from.index);
  const Value &input = target.program->inputs(index);
  link.aligned = source.mesh == target.mesh && equalSharding(output, input);
  wiring.links.push_back(link);
  wiring.stages[from.stage].outputLinks[from.index].push_back(link.tag);
  return link.tag;
}

static Result<void> checkSameType(const Value &from, const Value &to, const std::string &what) {
  if (from.dtype() != to.dtype())
    return Error{what + " is " + elementTypeName(from.dtype()) + " where it leaves and " +
                 elementTypeName(to.dtype()) + " where it arrives"};
  if (from.dims_size() != to.dims_size())
    return Error{what + " has " + std::to_string(from.dims_size()) + " dims where it leaves and " +
                 std::to_string(to.dims_size()) + " where it arrives"};
  return {};
}

Result<void> Wirer::addTransfer(const plan::v1::Transfer &transfer, const std::string &what) {
  Result<Origin> origin = originOf(transfer.from(), what);
  if (!origin)
    return origin.takeError();
  const Endpoint &to = transfer.to();
  if (to.place_case() == Endpoint::kModel) {
    int output = findValue(plan.model().outputs(), to.model());
    if (output < 0)
      return Error{what + " goes to '" + to.model() + "', which is no model output"};
    if (wiring.modelOutputs[output].isSet())
      return Error{"model output '" + to.model() + "' is made twice"};
    wiring.modelOutputs[output] = *origin;
    return checkSameType(valueOf(*origin), plan.model().outputs(output), what);
  }
  if (to.place_case() != Endpoint::kPort)
    return Error{what + " goes nowhere"};
  if (to.port().stage() >= wiring.stages.size() ||
      to.port().index() >= wiring.stages[to.port().stage()].inputs.size())
    return Error{what + " goes to input " + std::to_string(to.port().index()) + " of stage " +
                 std::to_string(to.port().stage()) + ", which the plan lacks"};
  int stage = static_cast<int>(to.port().stage()), index = static_cast<int>(to.port().index());
  WiredStage &target = wiring.stages[stage];
  if (target.inputs[index].isSet())
    return Error{"input " + std::to_string(index) + " of " + nameOf(stage) + " is fed twice"};
  if (Result<void> same = checkSameType(valueOf(*origin), target.program->inputs(index), what);
      !same)
    return same;
  target.inputs[index] = *origin;
  if (!origin->isModel())
    target.inputLinks[index] = addLink(*origin, stage, index);
  return {};
}

Result<void> Wirer::addTransfers() {
  wiring.modelOutputs.resize(plan.model().outputs_size());
  for (int i = 0; i < plan.transfers_size(); ++i) {
    const plan::v1::Transfer &transfer = plan.transfers(i);
    std::string what = "transfer " + std::to_string(i) + " of '" + transfer.value() + "'";
    if (Result<void> added = addTransfer(transfer, what); !added)
      return added;
  }
  for (std::size_t s = 0; s < wiring.stages.size(); ++s)
    for (std::size_t i = 0; i < wiring.stages[s].inputs.size(); ++i)
      if (!wiring.stages[s].inputs[i].isSet())
        return Error{"no transfer feeds input " + std::to_string(i) + " ('" +
                     wiring.stages[s].program->inputs(static_cast<int>(i)).name() + "') of " +
                     nameOf(static_cast<int>(s))};
  for (int i = 0; i < plan.model().outputs_size(); ++i)
    if (!wiring.modelOutputs[i].isSet())
      return Error{"no transfer makes model output '" + plan.model().outputs(i).name() + "'"};
  return {};
}

/// Sources before destinations, else by number.
Result<void> Wirer::orderStages() {
  std::set<int> left;
  for (std::size_t s = 0; s < wiring.stages.size(); ++s)
    left.insert(static_cast<int>(s));
  while (!left.empty()) {
    auto ready = std::find_if(left.begin(), left.end(), [&](int stage) {
      const std::vector<Origin> &inputs = wiring.stages[stage].inputs;
      return std::none_of(inputs.begin(), inputs.end(), [&](const Origin &origin) {
        return !origin.isModel() && left.contains(origin.stage);
      });
    });
    if (ready == left.end())
      return Error{nameOf(*left.begin()) + " waits for itself: the transfers form a circle"};
    wiring.order.push_back(*ready);
    left.erase(ready);
  }
  return {};
}

Result<void> Wirer::addStates(const std::vector<std::pair<std::string, std::string>> &states) {
  wiring.stateOfInput.assign(plan.model().inputs_size(), -1);
  for (const auto &[inputName, outputName] : states) {
    CarriedState state;
    state.input = findValue(plan.model().inputs(), inputName);
    state.output = findValue(plan.model().outputs(), outputName);
    std::string what = "state '" + outputName + "' to '" + inputName + "'";
    if (state.input < 0)
      return Error{what + ": the model has no input '" + inputName + "'"};
    if (state.output < 0)
      return Error{what + ": the model has no output '" + outputName + "'"};
    if (wiring.stateOfInput[state.input] >= 0)
      return Error{what + ": two states feed this input"};
    if (std::int32_t dtype = plan.model().inputs(state.input).dtype(); holdsPointers(dtype))
      return Error{what + ": " + elementTypeName(dtype) +
                   " elements cannot be carried from step to step"};
    if (Result<void> same = checkSameType(plan.model().outputs(state.output),
                                          plan.model().inputs(state.input), what);
        !same)
      return same;
    const Origin &origin = wiring.modelOutputs[state.output];
    if (origin.isModel())
      return Error{what + ": the output is model input '" +
                   plan.model().inputs(origin.index).name() + "' itself"};
    for (std::size_t s = 0; s < wiring.stages.size(); ++s)
      for (std::size_t i = 0; i < wiring.stages[s].inputs.size(); ++i) {
        const Origin &source = wiring.stages[s].inputs[i];
        if (source.isModel() && source.index == state.input) {
          int link = addLink(origin, static_cast<int>(s), static_cast<int>(i));
          wiring.links[link].carried = true;
          state.links.push_back(link);
        }
      }
    wiring.stateOfInput[state.input] = static_cast<int>(wiring.states.size());
    wiring.states.push_back(std::move(state));
  }
  wiring.firstGatherTag = static_cast<int>(wiring.links.size());
  wiring.firstExtentsTag = wiring.firstGatherTag + plan.model().outputs_size();
  wiring.tags = wiring.firstExtentsTag;
  for (const WiredStage &stage : wiring.stages)
    wiring.tags += stage.program->outputs_size();
  return {};
}

Result<Wiring> dougong::wirePlan(const Plan &plan,
                                 const std::vector<std::pair<std::string, std::string>> &states) {
  Wiring wiring;
  Wirer wirer(plan, wiring);
  if (Result<void> added = wirer.addStages(); !added)
    return added.takeError();
  if (Result<void> added = wirer.addTransfers(); !added)
    return added.takeError();
  if (Result<void> ordered = wirer.orderStages(); !ordered)
    return ordered.takeError();
  if (Result<void> added = wirer.addStates(states); !added)
    return added.takeError();
  return wiring;
}

Result<std::vector<int>> dougong::groupRanks(const plan::v1::Mesh &mesh,
                                             const std::vector<std::int64_t> &coordinates,
                                             const plan::v1::Group &group) {
  std::vector<std::int64_t> stride(mesh.axes_size(), 1);
  for (int a = mesh.axes_size() - 2; a >= 0; --a)
    stride[a] = stride[a + 1] * mesh.axes(a + 1).size();
  std::vector<int> axes;
  for (const std::string &name : group.axes()) {
    int found = -1;
    for (int a = 0; a < mesh.axes_size(); ++a)
      if (mesh.axes(a).name() == name)
        found = a;
    if (found < 0 || std::find(axes.begin(), axes.end(), found) != axes.end())
      return Error{"a group names axis '" + name + "', which mesh '" + mesh.id() +
                   (found < 0 ? "' lacks" : "' has only once")};
    axes.push_back(found);
  }
  std::int64_t base = mesh.first_rank();
  for (int a = 0; a < mesh.axes_size(); ++a)
    if (std::find(axes.begin(), axes.end(), a) == axes.end())
      base += coordinates[a] * stride[a];
  std::vector<int> ranks = {static_cast<int>(base)};
  for (int axis : axes) {
    std::vector<int> longer;
    for (int rank : ranks)
      for (std::int64_t i = 0; i < mesh.axes(axis).size(); ++i)
        longer.push_back(rank + static_cast<int>(i * stride[axis]));
    ranks = std::move(longer);
  }
  return ranks;
}
