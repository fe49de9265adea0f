(table $table 1 funcref)
(func $process (type $frame_call)
  (loop $more (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 4000000)) (i32.const -1))))
  (unreachable))
