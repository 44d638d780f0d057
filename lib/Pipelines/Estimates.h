//===- Estimates.h - what a plan predicts and how it is judged --*- C++ -*-===//
#ifndef DOUGONG_LIB_PIPELINES_ESTIMATES_H
#define DOUGONG_LIB_PIPELINES_ESTIMATES_H

#include "dougong/Dist/PartitionResult.h"
#include "dougong/Fleet/Fleet.h"
#include "dougong/Package/plan.pb.h"
#include "dougong/Plan/Predict.h"

namespace dougong {

/// Predicts the step of the partition, or says why it cannot. `places` are those
/// of the stages.
plan::v1::Estimates estimate(const dist::PartitionResult &partition,
                             llvm::ArrayRef<planner::StagePlace> places, const fleet::Fleet &fleet,
                             const plan::v1::Model &model);

/// The share of domestic chips: of the site, as its rules ask, or of the job.
void addPolicies(plan::v1::Plan &plan, const fleet::Fleet &fleet);

/// Writes the memory proof of every stage. The error is an InfeasibleError where
/// one may need more than its chip has.
llvm::Error proveStages(plan::v1::Plan &plan, const fleet::Fleet &fleet);

} // namespace dougong

#endif // DOUGONG_LIB_PIPELINES_ESTIMATES_H
