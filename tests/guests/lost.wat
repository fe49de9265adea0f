;; Logs as many bytes as frames were lost before this one.
(func $process (type $frame_call)
  (call $log (i32.const 2) (i32.const 16) (local.get 5) (i32.const 0) (i32.const 0))
  (call $forget)
  (i32.const 1024))
