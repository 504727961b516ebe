// Arguments of calls on sockets.
#pragma once

#include "draw.h"

// An address of the family that sockets of this kind have (an enum Kind), or of another.
Drawer socket_address;  // leaves its size in the extent
long address_for(struct Call* c, long family);
long family_of_socket(struct Call* c, long fd);
Drawer name_out, size_inout;

// struct msghdr, for sending and for receiving; struct mmsghdr, several.
long message_out(struct Call* c, long family);
long message_in(struct Call* c);
long messages_out(struct Call* c, long family);
long messages_in(struct Call* c);

// A netlink message in a buffer; its size is left in the extent.
char* netlink_message(struct Call* c);

void draw_setsockopt(struct Call* c);
void draw_getsockopt(struct Call* c);
