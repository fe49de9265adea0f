(func $process (type $frame_call) (loop $again (br $again)) (i32.const 1024))
