// The whole ONNX suite, and what goes there and back in a part of it.
// RUN: %python %S/suite_import.py --translate dougong-translate | FileCheck %s
// CHECK: 1914 of 1914 imported, 0 refused or crashed
// RUN: %python %S/roundtrip.py --translate dougong-translate --suite test_scan_sum test_loop11 test_if_seq test_cast_FLOAT_to_INT4 test_attention_4d_gqa test_sequence_map_add_2_sequences test_string_concat test_upsample_nearest test_softmax_axis_0_expanded test_adam test_ai_onnx_ml_label_encoder_string_int | FileCheck %s --check-prefix=BACK
// BACK: 11 ok, 0 skipped, 0 failed
