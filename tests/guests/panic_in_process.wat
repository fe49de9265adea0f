(func $process (type $frame_call) (unreachable))
