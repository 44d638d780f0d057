//===- ControlFlow.cpp - Scan, If, Loop -----------------------------------===//
#include "Patterns.h"

void dougong::onnx::populateControlFlowPatterns(PatternSet &) {}
