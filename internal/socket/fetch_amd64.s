#include "textflag.h"

// func fetch(address, size uintptr)
TEXT ·fetch(SB), NOSPLIT, $0-16
	MOVQ address+0(FP), AX
	MOVQ size+8(FP), CX
	ADDQ AX, CX
	ANDQ $~63, AX

line:
	CMPQ AX, CX
	JCC  done
	PREFETCHT0 (AX)
	ADDQ $64, AX
	JMP  line

done:
	RET
