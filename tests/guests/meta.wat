;; Adds up what it is told of its frames: `s`eq, `p`ts-us, how many have an `r`tp timestamp, `l`ost-before,
;; `m`arks, and the RTP `t`imestamps.
(data (i32.const 3072) "sprlmt")
(func $process (type $frame_call)
  (call $counter_add (i32.const 3072) (i32.const 1) (local.get 1))
  (call $counter_add (i32.const 3073) (i32.const 1) (local.get 2))
  (call $counter_add (i32.const 3074) (i32.const 1) (i64.extend_i32_u (local.get 3)))
  (call $counter_add (i32.const 3075) (i32.const 1) (i64.extend_i32_u (local.get 5)))
  (call $counter_add (i32.const 3076) (i32.const 1) (i64.extend_i32_u (local.get 6)))
  (call $counter_add (i32.const 3077) (i32.const 1) (i64.extend_i32_u (local.get 4)))
  (call $forget)
  (i32.const 1024))
