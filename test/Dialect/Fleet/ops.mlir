// RUN: dougong-opt %s | dougong-opt | FileCheck %s
// RUN: dougong-opt --mlir-print-op-generic %s | dougong-opt | FileCheck %s

// CHECK-LABEL: fleet.site @four_lines {
// CHECK-NEXT:    fleet.pool @ascend chip(@ascend_910b3) count(2)
// CHECK-NEXT:    fleet.pool @metax chip(@metax_c500) count(2)
// CHECK-NEXT:  }
fleet.site @four_lines {
  fleet.pool @ascend chip(@ascend_910b3) count(2)
  fleet.pool @metax chip(@metax_c500) count(2)
}

// CHECK-LABEL: fleet.site @here this_machine details({title = "mine"}) {
fleet.site @here this_machine details({title = "mine"}) {
}

// CHECK-LABEL: fleet.site @full details({title = "all ops"}) {
fleet.site @full details({title = "all ops"}) {
  // CHECK: fleet.chip @x1 vendor("Example") domestic target("cpu") stand_in
  // CHECK-SAME: peak({fp16 = #fleet.figure<1.0e+14 "OP/s" published "X">})
  // CHECK-SAME: memory(<3.4359738368e+10 "B" published "X">)
  // CHECK-SAME: reserved(<1024 "B" measured "X">)
  // CHECK-SAME: bandwidth(<1.0e+12 "B/s" derived "X">)
  // CHECK-SAME: details({arch = "x1-2"})
  fleet.chip @x1 vendor("Example") domestic target("cpu") stand_in
      peak({fp16 = #fleet.figure<1.0e14 "OP/s" published "X">})
      memory(<34359738368 "B" published "X">) reserved(<1024 "B" measured "X">)
      bandwidth(<1.0e12 "B/s" derived "X">) details({arch = "x1-2"})

  // CHECK: fleet.level @node size(8) bandwidth(<5.6e+10 "B/s" recalled>) direction uni latency(<1.0e-05 "s" recalled>)
  fleet.level @node size(8) bandwidth(<5.6e10 "B/s" recalled>) direction uni
      latency(<1.0e-5 "s" recalled>)
  // CHECK: fleet.level @site oversubscription(<2 "" recalled>)
  fleet.level @site direction unknown oversubscription(<2 "" recalled>)

  // CHECK: fleet.pool @a chip(@x1) count(64) nodes(8) path([@node, @site]) target("cpu")
  fleet.pool @a chip(@x1) count(64) nodes(8) path([@node, @site]) target("cpu")
  // CHECK: fleet.pool @b chip(@metax_c500) count(1)
  // CHECK-NOT: nodes
  fleet.pool @b chip(@metax_c500) count(1) nodes(1)

  // CHECK: fleet.cross_path @a to @b via host_staged bandwidth(<1.2e+10 "B/s" recalled>)
  fleet.cross_path @a to @b via host_staged bandwidth(<1.2e10 "B/s" recalled>)
  // CHECK: fleet.cross_path @"*" to @"*" via library details({library = "FlagCX"})
  fleet.cross_path @"*" to @"*" via library details({library = "FlagCX"})
  // CHECK: fleet.policy "domestic-share" threshold(<5.0e-01 "" published "SHA">) basis chips scope site
  fleet.policy "domestic-share" threshold(<0.5 "" published "SHA">) basis chips scope site
  // CHECK: fleet.growth count(<100000 "" published "X">) pool(@a) date("2028")
  fleet.growth count(<100000 "" published "X">) pool(@a) date("2028")
  // CHECK: fleet.failure_domain "server" level(@node) mtbf(<3600000 "s" recalled>)
  fleet.failure_domain "server" level(@node) mtbf(<3600000 "s" recalled>)
}

// CHECK-LABEL: fleet.site @all_parts_of_a_figure
fleet.site @all_parts_of_a_figure {
  // CHECK: memory(<6.4e+10 "B" derived "INI" date "2026-08-22" note "half of \22128 GB\22" others [<3.2e+10 published "HAMI">, <7 "R">, <8>]>)
  fleet.chip @x vendor("v")
      memory(<64000000000 "B" derived "INI" date "2026-08-22" note "half of \"128 GB\""
              others [<3.2e10 published "HAMI">, <7 "R">, <8>]>)
  // Digits that six decimals do not hold.
  // CHECK: memory(<1.1871337890625e+14 "B" recalled>)
  fleet.chip @y vendor("v") memory(<118713378906250 "B" recalled>)
}
