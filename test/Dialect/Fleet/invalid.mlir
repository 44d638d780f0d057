// RUN: dougong-opt %s --split-input-file --verify-diagnostics

fleet.site @negative_figure_of_zero {
  // expected-error @+1 {{value of a figure must be finite and above zero, got 0.000000e+00 : f64; leave out what is not known}}
  fleet.chip @x vendor("v") memory(<0 "B" recalled>)
}

// -----

fleet.site @negative_figure_below_zero {
  // expected-error @+1 {{value of a figure must be finite and above zero, got -1.000000e+00 : f64}}
  fleet.chip @x vendor("v") memory(<-1 "B" recalled>)
}

// -----

fleet.site @negative_figure_without_kind {
  // expected-error @+1 {{expected measured, published, derived or recalled}}
  fleet.chip @x vendor("v") memory(<1 "B">)
}

// -----

fleet.site @negative_figure_in_gigabytes {
  // expected-error @+1 {{unit of a figure must be one of "", B, B/s, s, OP/s, Hz, W, got "GB"}}
  fleet.chip @x vendor("v") memory(<1 "GB" recalled>)
}

// -----

fleet.site @negative_memory_as_rate {
  // expected-error @+1 {{'fleet.chip' op memory must be in "B", got #fleet.figure<1 "B/s" recalled>}}
  fleet.chip @x vendor("v") memory(<1 "B/s" recalled>)
}

// -----

fleet.site @negative_peak_is_no_figure {
  // expected-error @+1 {{'fleet.chip' op peak of "fp16" must be a #fleet.figure, got 1 : i64}}
  fleet.chip @x vendor("v") peak({fp16 = 1})
}

// -----

fleet.site @negative_all_memory_reserved {
  // expected-error @+1 {{'fleet.chip' op reserved memory must be below its size}}
  fleet.chip @x vendor("v") memory(<2 "B" recalled>) reserved(<2 "B" recalled>)
}

// -----

fleet.site @negative_stand_in_for_nothing {
  // expected-error @+1 {{'fleet.chip' op stand_in says what the target's programs run on, but there is no target}}
  fleet.chip @x vendor("v") stand_in
}

// -----

fleet.site @negative_oversubscription_below_one {
  // expected-error @+1 {{'fleet.level' op oversubscription must be at least 1}}
  fleet.level @l oversubscription(<0.5 "" recalled>)
}

// -----

fleet.site @negative_level_of_no_chips {
  // expected-error @+1 {{attribute 'size' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  fleet.level @l size(0)
}

// -----

fleet.site @negative_chips_spread_unevenly {
  // expected-error @+1 {{'fleet.pool' op count must be a multiple of nodes, got 9 chips on 2 nodes}}
  fleet.pool @p chip(@host_cpu) count(9) nodes(2)
}

// -----

fleet.site @negative_chip_is_a_level {
  // expected-note @+1 {{declared here}}
  fleet.level @l
  // expected-error @+1 {{'fleet.pool' op @l must be a fleet.chip, got a fleet.level}}
  fleet.pool @p chip(@l) count(1)
}

// -----

fleet.site @negative_unknown_level {
  // expected-error @+1 {{'fleet.pool' op level @rack is not declared in this site}}
  fleet.pool @p chip(@host_cpu) count(1) path([@rack])
}

// -----

fleet.site @negative_level_twice {
  fleet.level @l
  // expected-error @+1 {{'fleet.pool' op names level @l twice}}
  fleet.pool @p chip(@host_cpu) count(1) path([@l, @l])
}

// -----

fleet.site @negative_levels_shrink {
  // expected-note @+1 {{inner level declared here}}
  fleet.level @a size(8)
  fleet.level @b size(4)
  // expected-error @+1 {{'fleet.pool' op level @b joins 4 chips, fewer than the 8 of the level inside it}}
  fleet.pool @p chip(@host_cpu) count(1) path([@a, @b])
}

// -----

fleet.site @negative_cross_path_to_itself {
  fleet.pool @p chip(@host_cpu) count(1)
  // expected-error @+1 {{'fleet.cross_path' op joins two different pools, got @p twice}}
  fleet.cross_path @p to @p via host_staged
}

// -----

fleet.site @negative_cross_path_to_nothing {
  fleet.pool @p chip(@host_cpu) count(1)
  // expected-error @+1 {{'fleet.cross_path' op pool @q is not declared in this site}}
  fleet.cross_path @p to @q via host_staged
}

// -----

fleet.site @negative_unknown_policy {
  // expected-error @+1 {{'fleet.policy' op knows "domestic-share" only, got "no-fridays"}}
  fleet.policy "no-fridays" threshold(<0.5 "" recalled>) basis chips scope site
}

// -----

fleet.site @negative_threshold_above_one {
  // expected-error @+1 {{'fleet.policy' op threshold must be at most 1}}
  fleet.policy "domestic-share" threshold(<50 "" recalled>) basis chips scope site
}

// -----

fleet.site @negative_failure_domain_of_a_pool {
  // expected-note @+1 {{declared here}}
  fleet.pool @p chip(@host_cpu) count(1)
  // expected-error @+1 {{'fleet.failure_domain' op @p must be a fleet.level, got a fleet.pool}}
  fleet.failure_domain "d" level(@p)
}

// -----

fleet.site @negative_other_op_in_site {
  // expected-error @+1 {{must not stand in a fleet.site: it holds declarations of a fleet only}}
  builtin.module {}
}

// -----

// expected-error @+1 {{'fleet.pool' op expects parent op 'fleet.site'}}
fleet.pool @p chip(@host_cpu) count(1)
