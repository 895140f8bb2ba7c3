/*
 * What the standard library asks of a stack unwinder. A program that aborts on panic and carries no backtraces never walks
 * its stack, so this walks nothing; it saves the tables and the code of a real one.
 */

enum { URC_END_OF_STACK = 5 };

int _Unwind_Backtrace(void *step, void *argument) { (void)step; (void)argument; return URC_END_OF_STACK; }
unsigned long _Unwind_GetIP(void *context) { (void)context; return 0; }
unsigned long _Unwind_GetCFA(void *context) { (void)context; return 0; }
void *_Unwind_FindEnclosingFunction(void *address) { (void)address; return 0; }

/* ARM's way to read a register. */
int _Unwind_VRS_Get(void *context, int class, unsigned number, int representation, void *value)
{
	(void)context; (void)class; (void)number; (void)representation;
	*(unsigned long *)value = 0;
	return 0;
}
