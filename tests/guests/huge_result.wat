;; 15 MiB of samples.
(func $process (type $frame_call)
  (drop (memory.grow (i32.const 238)))
  (i32.store8 (i32.const 2052) (i32.const 1))
  (i32.store8 (i32.const 2056) (i32.const 1))
  (i32.store (i32.const 2060) (i32.const 0))
  (i32.store (i32.const 2064) (i32.const 3932160))
  (i32.const 2048))
