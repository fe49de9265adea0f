;; Has a schema of its settings.
(data (i32.const 3200) "{\22type\22:\22object\22,\22properties\22:{\22level\22:{\22type\22:\22number\22}},\22required\22:[\22level\22],\22additionalProperties\22:false}")
(func $describe (result i32)
  (i32.store8 (i32.const 112) (i32.const 1))
  (i32.store (i32.const 116) (i32.const 3200))
  (i32.store (i32.const 120) (i32.const 108))
  (i32.const 64))
