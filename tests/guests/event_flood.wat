;; Counts at 3,072 how often it was told `full`.
(func $process (type $frame_call)
  (local $left i32) (local.set $left (i32.const 1000))
  (loop $more
    (call $emit_text (i32.const 16) (i32.const 5) (i32.const 16) (i32.const 5) (i32.const 3000))
    (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (call $emit_text (i32.const 16) (i32.const 5) (i32.const 16) (i32.const 20000) (i32.const 3000))
  (i32.const 1024))
