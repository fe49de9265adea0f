;; Samples at an address that is not there.
(func $process (type $frame_call)
  (i32.store8 (i32.const 2052) (i32.const 1))
  (i32.store8 (i32.const 2056) (i32.const 1))
  (i32.store (i32.const 2060) (i32.const 0x7ffffff0))
  (i32.store (i32.const 2064) (i32.const 0x3fffffff))
  (i32.const 2048))
