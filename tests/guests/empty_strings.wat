;; A log line with half a million fields, so a million empty strings.
(func $process (type $frame_call)
  (drop (memory.grow (i32.const 128)))
  (call $log (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 131072) (i32.const 500000))
  (i32.const 1024))
