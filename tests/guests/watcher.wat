;; An inspector that emits a text for each frame.
(func $inspect (type $frame_call)
  (call $emit_text (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 5) (i32.const 3000))
  (call $forget)
  (i32.const 1024))
