;; Computes for some milliseconds a frame: legal for a deadline, ruinous for a neighbour.
(func $process (type $frame_call)
  (local $left i32) (local.set $left (i32.const 6000000))
  (loop $more (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (call $forget)
  (i32.const 1024))
