;; An inspector that has the last word.
(func $inspect (type $frame_call) (call $forget) (i32.const 1024))
(func $finish (param i32) (result i32)
  (call $emit_text (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 5) (i32.const 3000))
  (i32.const 1024))
