(func $process (type $frame_call)
  (local $left i32) (local.set $left (i32.const 1000))
  (loop $more
    (call $log (i32.const 2) (i32.const 64) (i32.const 3000) (i32.const 0) (i32.const 0))
    (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (i32.const 1024))
