(func $process (type $frame_call)
  (loop $more (drop (call $session (i32.const 1))) (br $more))
  (i32.const 1024))
