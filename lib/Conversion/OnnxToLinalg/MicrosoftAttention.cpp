//===- MicrosoftAttention.cpp - attention of com.microsoft ----------------===//
#include "Patterns.h"

void dougong::onnx::populateMicrosoftAttentionPatterns(PatternSet &) {}
