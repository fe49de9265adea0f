;; Names of one byte each, and a number in the byte.
(func $process (type $frame_call)
  (local $left i32) (local.set $left (i32.const 127))
  (loop $more
    (i32.store8 (i32.const 3000) (local.get $left))
    (call $counter_add (i32.const 3000) (i32.const 1) (i64.const 1))
    (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (i32.const 1024))
