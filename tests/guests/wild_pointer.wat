;; A result at an address that is not there.
(func $process (type $frame_call) (i32.const 0x7ffffff0))
