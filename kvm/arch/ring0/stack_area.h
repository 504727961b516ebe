// Kernel stacks of tasks: mapped in an area of their own, each above a page that is not. Internal to this
// folder.
#pragma once

namespace runsc::arch::ring0 {

// Gives the boot page table its entry for the area, before any user space copies it.
void stack_area_init();

}  // namespace runsc::arch::ring0
