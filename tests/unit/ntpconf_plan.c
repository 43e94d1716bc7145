/* SPDX-License-Identifier: MIT */
/* The edit, as a specification: texts before and after. */
#include "check.h"

#include "lib/ntpconf/lines.h"

#include <stdio.h>
#include <string.h>

#define OPTIONS "prefer iburst minpoll 4 maxpoll 4"
#define BEGIN "# BEGIN skewgate: Amazon Time Sync Service\n"
#define SERVER "server 169.254.169.123 " OPTIONS "\n"
#define MINSANE "tos minsane 1\n"
#define END "# END skewgate\n"
#define LOCAL "restrict 127.0.0.1\n"

#define MAX_INCLUDED 2

struct scenario {
	const char *name;
	const char *before;
	const char *after;   /* NULL: as before */
	const char *error;   /* its code, when the plan must fail */
	const char *says;    /* what the error's or the warning's text must hold */
	const char *warning; /* a code that must be there */
	const char *never;   /* a code that must not */
	const char *hindrance; /* a line that can keep ntpd from following */
	const char *names;     /* what its text must hold; "": there is none */
	const char *disabled;  /* what the plan lists as turned off, each with \n */
	bool exclusive;
	const char *servers[3];
	const char *options;
	struct sg_ntpconf_included included[MAX_INCLUDED];
};

static const struct scenario scenarios[] = {
	/* ---- the block and its place ---- */
	{
		.name = "an empty file",
		.before = "",
		.after = BEGIN SERVER LOCAL END,
	},
	{
		.name = "before the first source",
		.before = LOCAL "server a.example\npool b.example\ndriftfile /d\n",
		.after = LOCAL BEGIN SERVER END
		"server a.example\npool b.example\ndriftfile /d\n",
	},
	{
		.name = "with a tos line, behind the last source",
		.before = LOCAL "tos minsane 3\nserver a.example\npeer b.example\n"
						"driftfile /d\n",
		.after =
			LOCAL "tos minsane 3\nserver a.example\n"
				  "peer b.example\n" BEGIN SERVER MINSANE END "driftfile /d\n",
		.warning = "quorum-lowered",
		.says =
			"ntp.conf:2: this line asks for 3 servers that agree (minsane); "
			"skewgate's block lowers that to 1,",
	},
	{
		.name = "lines that are turned off are no sources",
		.before = LOCAL "pool a.example\ntos maxclock 9\nserver 127.127.1.0\n",
		.after =
			LOCAL "#skewgate: pool a.example\ntos maxclock 9\n" BEGIN SERVER END
				  "server 127.127.1.0\n",
		.exclusive = true,
		.disabled = "pool a.example\n",
	},
	{
		.name = "nor are they with a tos line",
		.before = LOCAL "tos minsane 3\ndriftfile /d\npool a.example\n",
		.after = LOCAL "tos minsane 3\n" BEGIN SERVER MINSANE END
					   "driftfile /d\n#skewgate: pool a.example\n",
		.exclusive = true,
		.never = "minsane-raised",
	},
	{
		.name = "before an included file with sources",
		.before = LOCAL "includefile /h\nincludefile /i\nserver a.example\n",
		.after = LOCAL "includefile /h\n" BEGIN SERVER END
					   "includefile /i\nserver a.example\n",
		.included = {{"/h", "keys /k\n", 1, 2},
                     {"/i", "pool b.example\n", 1, 3}},
	},
	{
		.name = "sources of ntp.d alone",
		.before = LOCAL "driftfile /d\n",
		.after = LOCAL "driftfile /d\n" BEGIN SERVER END,
		.included = {{"ntp.d/a.conf", "pool b.example\n", 1, SG_AFTER_MAIN}},
	},
	{
		.name = "a block elsewhere stays there",
		.before = LOCAL "pool a.example\n" BEGIN SERVER END "pool b.example\n",
	},
	{
		.name = "a block in front stays there with its tos line",
		.before = BEGIN SERVER LOCAL END "pool a.example\n",
		.included = {{"ntp.d/a.conf", "tos minsane 1\n", 1, SG_AFTER_MAIN}},
	},
	{
		.name = "after a tos line that comes later",
		.before = LOCAL "server a.example\ntos minsane 3\nkeys /k\n",
		.after =
			LOCAL "server a.example\ntos minsane 3\n" BEGIN SERVER MINSANE END
				  "keys /k\n",
	},
	{
		.name = "comments are no lines",
		.before = "#server a.example\n # tos minsane 9\n" LOCAL,
		.after = "#server a.example\n # tos minsane 9\n" LOCAL BEGIN SERVER END,
	},
	{
		.name = "before the line that ends the reading",
		.before = LOCAL "end\nserver a.example\ntos minsane 3\n",
		.after =
			LOCAL BEGIN SERVER END "end\nserver a.example\ntos minsane 3\n",
	},
	{
		.name = "an included file ends the reading too",
		.before = LOCAL "server a.example\nincludefile /i\nserver b.example\n"
						"tos minsane 3\nincludefile /j\n",
		.after = LOCAL BEGIN SERVER END
		"server a.example\nincludefile /i\nserver b.example\n"
		"tos minsane 3\nincludefile /j\n",
		.included = {{"/i", "keys /k\nend\ntos minsane 3\n", 1, 3},
                     {"/j", "tos minsane 3\n", 1, 6}},
	},
	{
		.name = "an included file ends the reading, and minsane was raised",
		.before = LOCAL "tos minsane 3\nincludefile /i\n" BEGIN SERVER END,
		.after =
			LOCAL "tos minsane 3\n" BEGIN SERVER MINSANE END "includefile /i\n",
		.included = {{"/i", "end\n", 1, 3}},
	},
	{
		.name = "what ends the reading does not end that of ntp.d",
		.before = LOCAL "end\n",
		.error = "minsane-raised",
		.says = "ntp.d/b.conf:1:",
		.included = {{"ntp.d/a.conf", "end\ntos minsane 9\n", 1, SG_AFTER_MAIN},
                     {"ntp.d/b.conf", "tos minsane 2\n", 1, SG_AFTER_MAIN}},
	},
	{
		.name = "but each file of ntp.d can end itself",
		.before = LOCAL,
		.after = LOCAL BEGIN SERVER END,
		.included = {{"ntp.d/a.conf", "end\ntos minsane 9\n", 1,
                      SG_AFTER_MAIN}},
	},
	{
		.name = "keywords are case-sensitive, blanks may stand before them",
		.before = LOCAL "Server b.example\n\tserver a.example\n",
		.after =
			LOCAL "Server b.example\n" BEGIN SERVER END "\tserver a.example\n",
	},
	{
		.name = "a quoted keyword is none",
		.before = LOCAL "\"tos\" minsane 3\n",
		.after = LOCAL "\"tos\" minsane 3\n" BEGIN SERVER END,
	},
	{
		.name = "CR LF",
		.before = "restrict 127.0.0.1\r\nserver a.example\r\n\r\n",
		.after = "restrict 127.0.0.1\r\n"
				 "# BEGIN skewgate: Amazon Time Sync Service\r\n"
				 "server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4\r\n"
				 "# END skewgate\r\nserver a.example\r\n\r\n",
	},
	{
		.name = "no newline at the end",
		.before = LOCAL "driftfile /d",
		.after = LOCAL "driftfile /d\n" BEGIN SERVER "# END skewgate",
	},
	{
		.name = "no newline at the end, the block before it",
		.before = LOCAL "server a.example",
		.after = LOCAL BEGIN SERVER END "server a.example",
	},
	{
		.name = "a block that is right",
		.before = LOCAL BEGIN SERVER END "driftfile /d\n",
	},
	{
		.name = "other options rewrite it in place",
		.before = BEGIN SERVER END LOCAL "server a.example\n",
		.after = BEGIN "server 169.254.169.123 iburst\n" END LOCAL
					   "server a.example\n",
		.options = "iburst",
	},
	{
		.name = "two servers",
		.before = LOCAL "tos minsane 3\n",
		.after = LOCAL "tos minsane 3\n" BEGIN "server 192.0.2.1 " OPTIONS
					   "\nserver 2001:db8::1 " OPTIONS "\n" MINSANE END,
		.servers = {"192.0.2.1", "2001:db8::1"},
		.warning = "quorum-lowered",
	},
	{
		.name = "a block of an earlier release that asks for two",
		.before = LOCAL "tos minsane 3\n" BEGIN "server 192.0.2.1 " OPTIONS
						"\nserver 2001:db8::1 " OPTIONS "\ntos minsane 2\n" END
						"pool a.example\n",
		.after = LOCAL "tos minsane 3\n" BEGIN "server 192.0.2.1 " OPTIONS
					   "\nserver 2001:db8::1 " OPTIONS "\n" MINSANE END
					   "pool a.example\n",
		.servers = {"192.0.2.1", "2001:db8::1"},
	},
	{
		.name = "a block of an earlier release, for one server",
		.before =
			LOCAL "tos minsane 3\n" BEGIN SERVER MINSANE END "pool a.example\n",
	},
	{
		.name = "it moves when minsane is raised behind it",
		.before = LOCAL BEGIN SERVER END "tos minsane 3\n",
		.after = LOCAL "tos minsane 3\n" BEGIN SERVER MINSANE END,
	},
	{
		.name = "it moves when the reading ends before it",
		.before = LOCAL "end\n" BEGIN SERVER END,
		.after = LOCAL BEGIN SERVER END "end\n",
	},
	{
		.name = "a block without an end",
		.before = "x\n" BEGIN SERVER,
		.error = "block-damaged",
		.says = "ntp.conf:2:",
	},
	{
		.name = "a block without a beginning",
		.before = SERVER END,
		.error = "block-damaged",
		.says = "ntp.conf:2:",
	},
	{
		.name = "a foreign line inside the block",
		.before = BEGIN SERVER "driftfile /d\n" END,
		.error = "block-damaged",
		.says = "ntp.conf:3:",
	},
	{
		.name = "a comment inside the block",
		.before = BEGIN SERVER "# mine\n" END,
		.error = "block-damaged",
		.says = "ntp.conf:3:",
	},
	{
		.name = "a comment behind a line of the block",
		.before = BEGIN "server 169.254.169.123 iburst # mine\n" END,
		.error = "block-damaged",
		.says = "ntp.conf:2:",
	},
	{
		.name = "two blocks",
		.before = BEGIN SERVER END BEGIN SERVER END,
		.error = "block-doubled",
		.says = "ntp.conf:4:",
	},
	/* ---- an administrator's existing line ---- */
	{
		.name = "an existing line with ours is kept, nothing else is needed",
		.before = LOCAL SERVER,
		.never = "own-line-options",
	},
	{
		.name = "an existing line, but minsane",
		.before = LOCAL "tos minsane 3\n" SERVER,
		.after = LOCAL "tos minsane 3\n" SERVER BEGIN MINSANE END,
	},
	{
		.name = "an existing line in another spelling",
		.before = LOCAL "server -4 \"169.254.169.123\" maxpoll 4 minpoll 4 "
						"iburst prefer # mine\n",
		.never = "own-line-options",
	},
	{
		.name = "the plain line of every how-to",
		.before = LOCAL "\n server 169.254.169.123 # as AWS says\nkeys /k\n",
		.after = LOCAL "\n#skewgate:  server 169.254.169.123 # as AWS says\n"
					   "keys /k\n" BEGIN SERVER END,
		.disabled = " server 169.254.169.123 # as AWS says\n",
		.never = "own-line-options",
		.hindrance = "own-line-options",
		.names = "",
	},
	{
		.name = "a line with some of our options",
		.before =
			LOCAL "server 169.254.169.123 iburst minpoll 4\npool a.example\n",
		.after = LOCAL
		"#skewgate: server 169.254.169.123 iburst minpoll 4\n" BEGIN SERVER END
		"pool a.example\n",
		.disabled = "server 169.254.169.123 iburst minpoll 4\n",
	},
	{
		.name = "a plain line and minsane",
		.before = LOCAL "tos minsane 3\nserver 169.254.169.123\nkeys /k\n",
		.after = LOCAL "tos minsane 3\n" BEGIN SERVER MINSANE END
					   "#skewgate: server 169.254.169.123\nkeys /k\n",
	},
	{
		.name = "a plain line with CR LF",
		.before = "restrict 127.0.0.1\r\nserver 169.254.169.123\r\n",
		.after = "restrict 127.0.0.1\r\n#skewgate: server 169.254.169.123\r\n"
				 "# BEGIN skewgate: Amazon Time Sync Service\r\n"
				 "server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4\r\n"
				 "# END skewgate\r\n",
		.disabled = "server 169.254.169.123\n",
	},
	{
		.name = "a plain line without a newline",
		.before = LOCAL "server 169.254.169.123",
		.after = LOCAL "#skewgate: server 169.254.169.123\n" BEGIN SERVER
					   "# END skewgate",
		.disabled = "server 169.254.169.123\n",
	},
	{
		.name = "a plain line without a newline, the block before it",
		.before = LOCAL "pool a.example\nserver 169.254.169.123",
		.after = LOCAL BEGIN SERVER END
		"pool a.example\n#skewgate: server 169.254.169.123",
	},
	{
		.name = "two plain lines, in two spellings",
		.before =
			LOCAL "server -6 fd00:ec2::123\nserver FD00:0ec2::123 prefer\n",
		.after = LOCAL "#skewgate: server -6 fd00:ec2::123\n"
					   "#skewgate: server FD00:0ec2::123 prefer\n" BEGIN
					   "server fd00:ec2::123 " OPTIONS "\n" END,
		.servers = {"fd00:ec2::123"},
		.disabled = "server -6 fd00:ec2::123\nserver FD00:0ec2::123 prefer\n",
	},
	{
		.name = "a plain line before one with ours",
		.before = LOCAL "server 169.254.169.123\n" SERVER,
		.after = LOCAL "#skewgate: server 169.254.169.123\n" SERVER,
		.never = "own-line-options",
	},
	{
		.name = "a plain line behind one with ours: ntpd ignores it",
		.before = LOCAL SERVER "server 169.254.169.123\n",
		.never = "own-line-options",
	},
	{
		.name = "a plain line before one that stays",
		.before = LOCAL "server 169.254.169.123 iburst\n"
						"server 169.254.169.123 prefer version 3\n",
		.warning = "own-line-options",
		.says =
			"ntp.conf:2: the existing line for 169.254.169.123 is kept, but "
			"lacks prefer minpoll 4 maxpoll 4;",
	},
	{
		.name = "a family that has no such address",
		.before = LOCAL "server -6 169.254.169.123 " OPTIONS "\n",
		.after = LOCAL "#skewgate: server -6 169.254.169.123 " OPTIONS
					   "\n" BEGIN SERVER END,
	},
	{
		.name = "a family that chooses a name's address",
		.before = LOCAL "server -6 time.example " OPTIONS "\n",
		.servers = {"time.example"},
		.warning = "own-line-options",
		.says = "differs from what skewgate would write by -6;",
	},
	{
		.name = "a name in other letters",
		.before = LOCAL "server Time.Example " OPTIONS "\n",
		.servers = {"time.eXample"},
		.never = "own-line-options",
	},
	{
		.name = "two servers, one has a plain line",
		.before = LOCAL "server 192.0.2.2 iburst\n",
		.after = LOCAL "#skewgate: server 192.0.2.2 iburst\n" BEGIN
					   "server 192.0.2.1 " OPTIONS "\nserver 192.0.2.2 " OPTIONS
					   "\n" END,
		.servers = {"192.0.2.1", "192.0.2.2"},
	},
	{
		.name = "a plain line under --exclusive",
		.before = LOCAL "server 169.254.169.123\npool a.example\n",
		.after = LOCAL "#skewgate: server 169.254.169.123\n"
					   "#skewgate: pool a.example\n" BEGIN SERVER END,
		.exclusive = true,
		.disabled = "server 169.254.169.123\npool a.example\n",
	},
	{
		.name = "a plain line, and no options are wanted",
		.before = LOCAL "server 169.254.169.123\n",
		.options = "",
		.never = "own-line-options",
	},
	{
		.name = "a plain line that ntpd does not read",
		.before = LOCAL "end\nserver 169.254.169.123\n",
		.after = LOCAL BEGIN SERVER END "end\nserver 169.254.169.123\n",
	},
	{
		.name = "a line with other options",
		.before = LOCAL "server 169.254.169.123 iburst minpoll 6\n",
		.warning = "own-line-options",
		.says = "lacks prefer minpoll 4 maxpoll 4;",
	},
	{
		.name = "a line with more options",
		.before = LOCAL "server 169.254.169.123 " OPTIONS " version 3\n",
		.warning = "own-line-options",
		.says = "differs from what skewgate would write by version 3;",
	},
	{
		.name = "an existing line with noselect",
		.before = "\nserver 169.254.169.123 noselect\n",
		.error = "own-line-noselect",
		.says = "ntp.conf:2:",
	},
	{
		.name = "a plain line before one with noselect",
		.before = "server 169.254.169.123\nserver 169.254.169.123 noselect\n",
		.error = "own-line-noselect",
		.says = "ntp.conf:2:",
	},
	{
		.name = "a line with ours before one with noselect",
		.before = LOCAL SERVER "server 169.254.169.123 noselect\n",
	},
	{
		.name = "an existing line in an included file",
		.before = LOCAL "includefile /i\n",
		.included = {{"/i", SERVER, 1, 2}},
		.never = "own-line-options",
	},
	{
		.name = "a plain line in an included file cannot be turned off",
		.before = LOCAL "includefile /i\n",
		.included = {{"/i", "server 169.254.169.123\n", 1, 2}},
		.warning = "own-line-options",
		.says =
			"/i:1: the existing line for 169.254.169.123 is kept, but lacks "
			"prefer iburst minpoll 4 maxpoll 4;",
	},
	{
		.name = "a pool line is not one for the server",
		.before = LOCAL "pool 169.254.169.123\n",
		.after = LOCAL BEGIN SERVER END "pool 169.254.169.123\n",
	},
	{
		.name = "a server line without a name is not one for the server",
		.before = LOCAL "server\n",
		.after = LOCAL BEGIN "server server " OPTIONS "\n" END "server\n",
		.servers = {"server"},
	},
	/* ---- minsane ---- */
	{
		.name = "minsane among other words",
		.before = LOCAL "tos minclock 4 minsane 3\n",
		.after = LOCAL "tos minclock 4 minsane 3\n" BEGIN SERVER MINSANE END,
	},
	{
		.name = "minsane as ntpd's scanner reads it",
		.before = LOCAL "tos minsane 3;\n",
		.after = LOCAL "tos minsane 3;\n" BEGIN SERVER MINSANE END,
	},
	{
		.name = "minsane before another special character",
		.before = LOCAL "tos minsane 2(minsane 1\n",
		.after = LOCAL "tos minsane 2(minsane 1\n" BEGIN SERVER MINSANE END,
	},
	{
		.name = "minsane behind a special character",
		.before = LOCAL "tos maxclock 9, minsane 3\ntos = minsane 3\n",
		.after = LOCAL
		"tos maxclock 9, minsane 3\ntos = minsane 3\n" BEGIN SERVER END,
	},
	{
		.name = "a server with a special character in its name",
		.before = LOCAL "server -4 169.254.169.123; iburst;x\n",
		.after = LOCAL BEGIN SERVER END "server -4 169.254.169.123; iburst;x\n",
	},
	{
		.name = "an option before a special character",
		.before =
			LOCAL "server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4;"
				  "noselect\n",
		.never = "own-line-options",
	},
	{
		.name = "a special character by itself",
		.before = LOCAL "server 169.254.169.123 " OPTIONS " ; noselect\n",
		.never = "own-line-options",
	},
	{
		.name = "minsane is set back later",
		.before = LOCAL "tos minsane 3\ntos minsane 1\n",
		.after = LOCAL "tos minsane 3\ntos minsane 1\n" BEGIN SERVER END,
		.never = "quorum-lowered",
	},
	{
		.name = "minsane in a file included before",
		.before = LOCAL "includefile /i\nserver a.example\n",
		.after =
			LOCAL "includefile /i\nserver a.example\n" BEGIN SERVER MINSANE END,
		.included = {{"/i", "tos minsane 3\n", 1, 2}},
	},
	{
		.name = "minsane raised in a file included after",
		.before = LOCAL "server a.example\nincludefile /i\n",
		.error = "minsane-raised",
		.says = "/i:2:",
		.included = {{"/i", "\ntos minsane 2\n", 1, 3}},
	},
	{
		.name = "minsane raised in ntp.d",
		.before = LOCAL,
		.error = "minsane-raised",
		.says = "ntp.d/x.conf:7:",
		.included = {{"ntp.d/x.conf", "tos minsane 3\n", 7, SG_AFTER_MAIN}},
	},
	{
		.name = "minsane raised and lowered again in ntp.d",
		.before = LOCAL,
		.after = LOCAL BEGIN SERVER END,
		.included = {{"ntp.d/a.conf", "tos minsane 3\n", 1, SG_AFTER_MAIN},
                     {"ntp.d/b.conf", "tos minsane 1\n", 1, SG_AFTER_MAIN}},
	},
	{
		.name = "two servers allow minsane 2 in ntp.d",
		.before = LOCAL,
		.after = LOCAL BEGIN "server 192.0.2.1 " OPTIONS
							 "\nserver 192.0.2.2 " OPTIONS "\n" MINSANE END,
		.servers = {"192.0.2.1", "192.0.2.2"},
		.warning = "minsane-raised",
		.says = "ntp.d/a.conf:1: this line is read after skewgate's block and "
				"raises minsane to 2,",
		.never = "quorum-lowered",
		.hindrance = "tos-minsane",
		.names = "ntp.d/a.conf:1: ",
		.included = {{"ntp.d/a.conf", "tos minsane 2\n", 1, SG_AFTER_MAIN}},
	},
	{
		.name = "two servers do not allow minsane 3 in ntp.d",
		.before = LOCAL,
		.error = "minsane-raised",
		.says = "above 2,",
		.servers = {"192.0.2.1", "192.0.2.2"},
		.included = {{"ntp.d/a.conf", "tos minsane 3\n", 1, SG_AFTER_MAIN}},
	},
	{
		.name = "two servers: the block moves behind a line for two",
		.before = LOCAL BEGIN "server 192.0.2.1 " OPTIONS
							  "\nserver 192.0.2.2 " OPTIONS "\n" END
							  "tos minsane 2\n",
		.after = LOCAL "tos minsane 2\n" BEGIN "server 192.0.2.1 " OPTIONS
					   "\nserver 192.0.2.2 " OPTIONS "\n" MINSANE END,
		.servers = {"192.0.2.1", "192.0.2.2"},
		.warning = "quorum-lowered",
		.never = "minsane-raised",
	},
	{
		.name = "the block stays where moving does not help",
		.before =
			BEGIN "server 192.0.2.1 " OPTIONS "\nserver 192.0.2.2 " OPTIONS
				  "\n" MINSANE END LOCAL "pool a.example\n",
		.servers = {"192.0.2.1", "192.0.2.2"},
		.included = {{"ntp.d/a.conf", "tos minsane 2\n", 1, SG_AFTER_MAIN}},
	},
	/* ---- restrict ---- */
	{
		.name = "restrict default ignore",
		.before = "restrict default ignore\n" LOCAL,
		.after = "restrict default ignore\n" LOCAL BEGIN SERVER
				 "restrict 169.254.169.123 nomodify noquery\n" END,
	},
	{
		.name = "a network that is ignored",
		.before = LOCAL "restrict 169.254.0.0 mask 255.255.0.0 ignore\n",
		.after =
			LOCAL "restrict 169.254.0.0 mask 255.255.0.0 ignore\n" BEGIN SERVER
				  "restrict 169.254.169.123 nomodify noquery\n" END,
	},
	{
		.name = "a network in ntpsec's spelling",
		.before = LOCAL "restrict 169.254.0.0/16 notrust\n",
		.after = LOCAL "restrict 169.254.0.0/16 notrust\n" BEGIN SERVER
					   "restrict 169.254.169.123 nomodify noquery\n" END,
	},
	{
		.name = "a more specific network lets it in",
		.before = LOCAL "restrict default noserve\nrestrict 169.254.169.0 mask "
						"255.255.255.0 nomodify\n",
		.after = LOCAL "restrict default noserve\nrestrict 169.254.169.0 mask "
					   "255.255.255.0 nomodify\n" BEGIN SERVER END,
	},
	{
		.name = "another network does not matter",
		.before = LOCAL "restrict 10.0.0.0 mask 255.0.0.0 ignore\n",
		.after =
			LOCAL "restrict 10.0.0.0 mask 255.0.0.0 ignore\n" BEGIN SERVER END,
	},
	{
		.name = "the other family does not matter",
		.before = LOCAL "restrict -6 default ignore\n",
		.after = LOCAL "restrict -6 default ignore\n" BEGIN SERVER END,
	},
	{
		.name = "ntpd makes its own hole",
		.before =
			LOCAL "restrict default ignore\nrestrict source nomodify noquery\n",
		.after = LOCAL "restrict default ignore\nrestrict source nomodify "
					   "noquery\n" BEGIN SERVER END,
	},
	{
		.name = "ntpd makes no hole for noserve",
		.before = LOCAL "restrict default noserve\nrestrict source nomodify\n",
		.after = LOCAL
		"restrict default noserve\nrestrict source nomodify\n" BEGIN SERVER
		"restrict 169.254.169.123 nomodify noquery\n" END,
	},
	{
		.name = "ntpd's own hole that is none",
		.before = LOCAL "restrict source nomodify\nrestrict source ignore\n",
		.after = LOCAL
		"restrict source nomodify\nrestrict source ignore\n" BEGIN SERVER
		"restrict 169.254.169.123 nomodify noquery\n" END,
	},
	{
		.name = "the last restrict source decides",
		.before = LOCAL "restrict source ignore\nrestrict source nomodify\n",
		.after = LOCAL
		"restrict source ignore\nrestrict source nomodify\n" BEGIN SERVER END,
	},
	{
		.name = "an own restrict line outranks ntpd's own hole",
		.before = LOCAL "restrict 169.254.169.123 nomodify\nrestrict source "
						"ignore\n",
		.after = LOCAL "restrict 169.254.169.123 nomodify\nrestrict source "
					   "ignore\n" BEGIN SERVER END,
	},
	{
		.name = "an own restrict line that forbids outranks ntpd's own hole",
		.before = LOCAL "restrict 169.254.169.123 ignore\nrestrict source "
						"nomodify\n",
		.error = "own-restrict",
		.says = "ntp.conf:2:",
	},
	{
		.name = "a mask with a hole",
		.before = LOCAL "restrict 169.254.0.123 mask 255.255.0.255 ignore\n",
		.after = LOCAL
		"restrict 169.254.0.123 mask 255.255.0.255 ignore\n" BEGIN SERVER
		"restrict 169.254.169.123 nomodify noquery\n" END,
	},
	{
		.name = "a mask with a hole that does not fit",
		.before = LOCAL "restrict 169.254.0.124 mask 255.255.0.255 ignore\n",
		.after = LOCAL
		"restrict 169.254.0.124 mask 255.255.0.255 ignore\n" BEGIN SERVER END,
	},
	{
		.name = "of two masks the one with the higher address decides",
		.before =
			LOCAL "restrict 169.254.169.0 mask 255.255.255.128 ignore\n"
				  "restrict 169.254.169.64 mask 255.255.255.64 nomodify\n",
		.after = LOCAL "restrict 169.254.169.0 mask 255.255.255.128 ignore\n"
					   "restrict 169.254.169.64 mask 255.255.255.64 "
					   "nomodify\n" BEGIN SERVER END,
	},
	{
		.name = "of two masks with one address the longer one decides",
		.before = LOCAL "restrict fd00:ec2::/32 nomodify\nrestrict "
						"fd00:ec2::/33 ignore\n",
		.after =
			LOCAL "restrict fd00:ec2::/32 nomodify\nrestrict "
				  "fd00:ec2::/33 ignore\n" BEGIN "server fd00:ec2::123 " OPTIONS
				  "\nrestrict fd00:ec2::123 nomodify noquery\n" END,
		.servers = {"fd00:ec2::123"},
	},
	{
		.name = "unrestrict takes a rule back",
		.before = LOCAL "restrict 169.254.169.123 ignore\nunrestrict "
						"169.254.169.123\n",
		.after = LOCAL "restrict 169.254.169.123 ignore\nunrestrict "
					   "169.254.169.123\n" BEGIN SERVER END,
	},
	{
		.name = "unrestrict takes a word back",
		.before = LOCAL "restrict 169.254.169.123 ignore nomodify\nunrestrict "
						"169.254.169.123 ignore\n",
		.after = LOCAL "restrict 169.254.169.123 ignore nomodify\nunrestrict "
					   "169.254.169.123 ignore\n" BEGIN SERVER END,
	},
	{
		.name = "unrestrict takes another word back",
		.before = LOCAL "restrict 169.254.169.123 ignore\nunrestrict "
						"169.254.169.123 nomodify\n",
		.error = "own-restrict",
		.says = "ntp.conf:2:",
	},
	{
		.name = "unrestrict does not take the default away",
		.before = LOCAL "restrict default ignore\nunrestrict default\n",
		.after =
			LOCAL "restrict default ignore\nunrestrict default\n" BEGIN SERVER
				  "restrict 169.254.169.123 nomodify noquery\n" END,
	},
	{
		.name = "unrestrict does not take the default away from ntpq",
		.before = "restrict 127.0.0.1 ntpport\nunrestrict default\n",
		.after = "restrict 127.0.0.1 ntpport\nunrestrict default\n" BEGIN SERVER
			LOCAL END,
	},
	{
		.name = "a rule for port 123 is one for servers",
		.before = LOCAL "restrict 169.254.169.123\nrestrict 169.254.169.123 "
						"ntpport ignore\n",
		.error = "own-restrict",
		.says = "ntp.conf:3:",
	},
	{
		.name = "a rule for port 123 is none for ntpq",
		.before = "restrict 127.0.0.1 ntpport\n",
		.after = "restrict 127.0.0.1 ntpport\n" BEGIN SERVER LOCAL END,
	},
	{
		.name = "a rule for port 123 does not add to the one for all ports",
		.before = LOCAL "restrict 127.0.0.1 ntpport noquery\n",
		.after = LOCAL "restrict 127.0.0.1 ntpport noquery\n" BEGIN SERVER END,
		.never = "localhost-noquery",
	},
	{
		.name = "a restrict line before a special character",
		.before = LOCAL "restrict default ignore;\n",
		.after = LOCAL "restrict default ignore;\n" BEGIN SERVER
					   "restrict 169.254.169.123 nomodify noquery\n" END,
	},
	{
		.name = "a name is judged by the default",
		.before = LOCAL "restrict default notrust\n",
		.after = LOCAL "restrict default notrust\n" BEGIN
					   "server time.example " OPTIONS
					   "\nrestrict time.example nomodify noquery\n" END,
		.servers = {"time.example"},
	},
	{
		.name = "the own restrict line",
		.before = LOCAL "restrict 169.254.169.123 ignore\n",
		.error = "own-restrict",
		.says = "ntp.conf:2:",
	},
	{
		.name = "the own restrict line, added up from two",
		.before = LOCAL "restrict 169.254.169.123 nomodify\nrestrict "
						"169.254.169.123 noserve\n",
		.error = "own-restrict",
		.says = "ntp.conf:3:",
	},
	{
		.name = "nobody may query",
		.before = "restrict default noquery\n",
		.after = "restrict default noquery\n" BEGIN SERVER LOCAL END,
	},
	{
		.name = "a default that adds to ntpsec's",
		.before = "restrict default nomodify\n",
		.after = "restrict default nomodify\n" BEGIN SERVER LOCAL END,
	},
	{
		.name = "everybody may query",
		.before = "unrestrict default noquery\n",
		.after = "unrestrict default noquery\n" BEGIN SERVER END,
	},
	{
		.name = "this host's network may query",
		.before = "restrict 127.0.0.0 mask 255.0.0.0 nomodify\n",
		.after =
			"restrict 127.0.0.0 mask 255.0.0.0 nomodify\n" BEGIN SERVER END,
	},
	{
		.name = "localhost itself may not query",
		.before = "restrict 127.0.0.1 noquery\n",
		.after = "restrict 127.0.0.1 noquery\n" BEGIN SERVER END,
		.warning = "localhost-noquery",
		.says = "ntp.conf:1:",
	},
	/* ---- other sources ---- */
	{
		.name = "mixing is a warning",
		.before = LOCAL "pool a.example\n" SERVER,
		.warning = "smear-mixing",
		.says = "a.example (ntp.conf:2)",
	},
	{
		.name = "mixing with broadcasts",
		.before = LOCAL "broadcastclient novolley\n" SERVER,
		.warning = "smear-mixing",
		.says = ": broadcastclient (ntp.conf:2);",
	},
	{
		.name = "another server does not smear",
		.before = LOCAL "pool a.example\nserver 192.0.2.1 " OPTIONS "\n",
		.servers = {"192.0.2.1"},
		.never = "smear-mixing",
	},
	{
		.name = "Amazon's public pool smears too",
		.before = LOCAL "pool time.aws.com\n" SERVER,
		.never = "smear-mixing",
	},
	{
		.name = "both endpoints",
		.before = LOCAL SERVER "server fd00:0ec2::123 iburst\n",
		.warning = "both-endpoints",
	},
	{
		.name = "exclusive",
		.before = LOCAL "leapfile /l\nserver  a.example # x\n pool b.example\n"
						"peer c.example\nbroadcastclient\nserver "
						"169.254.169.123 " OPTIONS "\n",
		.after = LOCAL
		"#skewgate: leapfile /l\n#skewgate: server  a.example # x\n"
		"#skewgate:  pool b.example\n#skewgate: peer c.example\n"
		"#skewgate: broadcastclient\nserver 169.254.169.123 " OPTIONS "\n",
		.exclusive = true,
		.never = "smear-mixing",
	},
	{
		.name = "exclusive leaves reference clocks",
		.before = LOCAL "server 127.127.28.0\nrefclock shm\n" SERVER,
		.exclusive = true,
		.warning = "reference-clock",
		.says = "127.127.28.0",
	},
	{
		.name = "exclusive and included sources",
		.before = LOCAL "includefile /i\n" SERVER,
		.exclusive = true,
		.warning = "included-sources",
		.says = "a.example (/i:1)",
		.included = {{"/i", "server a.example\n", 1, 2}},
	},
	/* ---- what can keep ntpd from following ---- */
	{
		.name = "disable ntp",
		.before = LOCAL SERVER "enable ntp\ndisable kernel ntp\nenable ntp\n",
		.hindrance = "ntp-disabled",
		.names = "ntp.conf:4: ",
	},
	{
		.name = "disable kernel",
		.before = LOCAL SERVER "disable kernel stats\n",
		.hindrance = "ntp-disabled",
		.names = "",
	},
	{
		.name = "tos floor",
		.before = LOCAL SERVER "tos floor 4 ceiling 16\n",
		.hindrance = "tos-floor",
		.names = "ntp.conf:3: with this line ntpd follows no server whose "
				 "stratum is below 4; remove floor",
	},
	{
		.name = "the last tos floor",
		.before = LOCAL SERVER "tos floor 3\ntos floor 4\n",
		.hindrance = "tos-floor",
		.names = "ntp.conf:4: with this line ntpd follows no server whose "
				 "stratum is below 4;",
	},
	{
		.name = "tos floor that excludes nobody",
		.before = LOCAL SERVER "tos floor 4\ntos floor 1\n",
		.hindrance = "tos-floor",
		.names = "",
	},
	{
		.name = "tos ceiling",
		.before = LOCAL SERVER "tos ceiling 3\n",
		.hindrance = "tos-ceiling",
		.names = "not below 3;",
	},
	{
		.name = "tos ceiling that is the default",
		.before = LOCAL SERVER "tos ceiling 15\n",
		.hindrance = "tos-ceiling",
		.names = "",
	},
	{
		.name = "tos orphan",
		.before = LOCAL "includefile /i\n" SERVER,
		.included = {{"/i", "tos orphan 3\n", 1, 2}},
		.hindrance = "tos-orphan",
		.names = "/i:1: ",
	},
	{
		.name = "tos maxdist",
		.before = LOCAL SERVER "tos maxdist 0.02\n",
		.hindrance = "tos-maxdist",
		.names = "exceeds 0.02 s; remove maxdist",
	},
	{
		.name = "tos maxdist that is the default",
		.before = LOCAL SERVER "tos maxdist 1.5\n",
		.hindrance = "tos-maxdist",
		.names = "",
	},
	{
		.name = "unpeer",
		.before = "unpeer -4 169.254.169.123\n" LOCAL SERVER,
		.hindrance = "unpeered",
		.names = "ntp.conf:1: this line takes 169.254.169.123 ",
	},
	{
		.name = "unconfig",
		.before = LOCAL SERVER "unconfig 169.254.169.123\n",
		.hindrance = "unpeered",
		.names = "ntp.conf:3: ",
	},
	{
		.name = "another one is taken away",
		.before = LOCAL SERVER "unpeer 192.0.2.1\n",
		.hindrance = "unpeered",
		.names = "",
	},
	{
		.name = "interface ignore",
		.before = LOCAL SERVER "interface ignore eth0\n",
		.hindrance = "interface-ignored",
		.names = "ntp.conf:3: with this line ntpd hears nothing on the "
				 "interface eth0;",
	},
	{
		.name = "nic drop",
		.before = LOCAL SERVER "nic drop all\n",
		.hindrance = "interface-ignored",
		.names = "ntp.conf:3: ",
	},
	{
		.name = "interface ignore of the servers' family",
		.before = LOCAL SERVER "interface listen ipv6\ninterface ignore ipv4\n",
		.hindrance = "interface-ignored",
		.names = "ntp.conf:4: ",
	},
	{
		.name = "interface ignore, and a name has addresses of both families",
		.before =
			LOCAL "server time.example " OPTIONS "\ninterface ignore ipv6\n",
		.servers = {"time.example"},
		.hindrance = "interface-ignored",
		.names = "ntp.conf:3: ",
	},
	{
		.name = "interface ignore of the other family",
		.before = LOCAL SERVER "interface ignore ipv6\n",
		.hindrance = "interface-ignored",
		.names = "",
	},
	{
		.name = "interface ignore, and a later rule for all",
		.before = LOCAL SERVER "interface ignore eth0\ninterface ignore ipv4\n"
							   "interface listen all\n",
		.hindrance = "interface-ignored",
		.names = "",
	},
	{
		.name = "interface ignore, and a later rule for the same",
		.before = LOCAL SERVER "nic ignore eth0\nnic listen ETH0\n",
		.hindrance = "interface-ignored",
		.names = "",
	},
	{
		.name = "interface ignore wildcard",
		.before = LOCAL SERVER "interface ignore wildcard\n",
		.hindrance = "interface-ignored",
		.names = "",
	},
	{
		.name = "a special character in quotes",
		.before = LOCAL SERVER "interface ignore \"eth;0\"\n",
		.hindrance = "interface-ignored",
		.names = "interface eth;0;",
	},
	{
		.name = "an existing line without iburst",
		.before = LOCAL "server 169.254.169.123 prefer version 3\n",
		.hindrance = "own-line-options",
		.names =
			"needs about 256 s to follow it; add iburst, or use --wait 316",
	},
	{
		.name = "an existing line without iburst, but with minpoll",
		.before = LOCAL "server 169.254.169.123 version 3 minpoll 4\n",
		.hindrance = "own-line-options",
		.names = "needs about 64 s",
	},
	{
		.name = "an existing line without iburst in an included file",
		.before = LOCAL "includefile /i\n",
		.included = {{"/i", "server 169.254.169.123\n", 1, 2}},
		.hindrance = "own-line-options",
		.names = "/i:1: ",
	},
	{
		.name = "an existing line with iburst",
		.before = LOCAL "server 169.254.169.123 iburst version 3\n",
		.hindrance = "own-line-options",
		.names = "",
	},
};

static void plan(const struct scenario *scenario, const char *text,
                 struct sg_ntpconf_plan *made, int expected,
                 struct sg_error *error)
{
	static const char *const amazon[] = {SG_AMAZON_IPV4};
	struct sg_ntpconf_request request = {
		.servers = scenario->servers[0] != NULL ? scenario->servers : amazon,
		.server_count = scenario->servers[0] == NULL   ? 1
	                    : scenario->servers[1] == NULL ? 1
	                                                   : 2,
		.server_options =
			scenario->options != NULL ? scenario->options : OPTIONS,
		.exclusive = scenario->exclusive,
		.included = scenario->included,
	};

	while (request.included_count < MAX_INCLUDED &&
	       scenario->included[request.included_count].path != NULL)
		request.included_count++;
	*made = (struct sg_ntpconf_plan){0};
	*error = (struct sg_error){0};
	int result =
		sg_ntpconf_plan("ntp.conf", text, strlen(text), &request, made, error);
	if (result != expected)
		fail_msg("%s: %d, [%s] %s", scenario->name, result, error->code,
		         error->text);
}

static void check_warnings(const struct scenario *scenario,
                           const struct sg_ntpconf_plan *made)
{
	bool found = scenario->warning == NULL;

	for (size_t i = 0; i < made->warnings.count; i++) {
		const struct sg_error *warning = &made->warnings.items[i];

		if (scenario->never != NULL &&
		    strcmp(warning->code, scenario->never) == 0)
			fail_msg("%s: %s", scenario->name, warning->text);
		if (scenario->warning != NULL &&
		    strcmp(warning->code, scenario->warning) == 0) {
			found = true;
			if (scenario->says != NULL &&
			    strstr(warning->text, scenario->says) == NULL)
				fail_msg("%s: %s", scenario->name, warning->text);
		}
	}
	if (!found)
		fail_msg("%s: no warning %s", scenario->name, scenario->warning);
}

static void check_hindrances(const struct scenario *scenario,
                             const struct sg_ntpconf_plan *made)
{
	size_t found = 0;

	for (size_t i = 0;
	     scenario->hindrance != NULL && i < made->hindrances.count; i++) {
		const struct sg_error *hindrance = &made->hindrances.items[i];

		if (strcmp(hindrance->code, scenario->hindrance) != 0)
			continue;
		found++;
		if (strstr(hindrance->text, scenario->names) == NULL)
			fail_msg("%s: %s", scenario->name, hindrance->text);
	}
	if (scenario->hindrance != NULL && found != (scenario->names[0] != '\0'))
		fail_msg("%s: %zu times %s", scenario->name, found,
		         scenario->hindrance);
}

static void check_disabled(const struct scenario *scenario,
                           const struct sg_ntpconf_plan *made)
{
	char found[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < made->disabled.count; i++)
		used += (size_t)snprintf(found + used, sizeof found - used, "%s\n",
		                         made->disabled.items[i]);
	if (scenario->disabled != NULL && strcmp(found, scenario->disabled) != 0)
		fail_msg("%s: turned off: %s", scenario->name, found);
}

/* The block is written as text; here the lens reads it: each line's words are
 * those that ntpd finds, one space apart. */
static void check_block(const struct scenario *scenario,
                        const struct sg_ntpconf_plan *made)
{
	struct sg_lines lines = {0};
	struct sg_error error;
	sg_auto_augeas struct augeas *augeas = sg_lines_open(&error);

	assert_non_null(augeas);
	assert_done(sg_lines_parse(augeas, "block", made->block,
	                           strlen(made->block), 1, &lines, &error),
	            error);
	for (size_t i = 0; i < lines.count; i++) {
		const struct sg_line *line = &lines.items[i];
		char text[512] = "";
		size_t used = 0;

		if (i == 0 || i + 1 == lines.count) {
			assert_int_equal(line->word_count, 0);
			continue;
		}
		for (size_t k = 0; k < line->word_count; k++)
			used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
			                         k > 0 ? " " : "", line->words[k]);
		snprintf(text + used, sizeof text - used, "%s",
		         strstr(scenario->before, "\r\n") != NULL ? "\r\n" : "\n");
		if (!sg_line_is(line, "server") && !sg_line_is(line, "tos") &&
		    !sg_line_is(line, "restrict"))
			fail_msg("%s: %s", scenario->name, text);
		if (strlen(text) != line->size ||
		    memcmp(text, line->bytes, line->size) != 0)
			fail_msg("%s: the lens reads %s", scenario->name, text);
	}
	sg_lines_free(&lines);
}

static void test_scenarios(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		const struct scenario *scenario = &scenarios[i];
		const char *after =
			scenario->after != NULL ? scenario->after : scenario->before;
		struct sg_ntpconf_plan made;
		struct sg_ntpconf_plan again;
		struct sg_ntpconf_plan undone = {0};
		struct sg_error error;

		if (scenario->error != NULL) {
			plan(scenario, scenario->before, &made, -1, &error);
			assert_string_equal(error.code, scenario->error);
			if (strstr(error.text, scenario->says) == NULL)
				fail_msg("%s: %s", scenario->name, error.text);
			sg_ntpconf_plan_free(&made);
			continue;
		}
		plan(scenario, scenario->before, &made, 0, &error);
		if (strcmp(made.text, after) != 0)
			fail_msg("%s: got\n%s", scenario->name, made.text);
		assert_int_equal(made.changed, strcmp(scenario->before, after) != 0);
		check_warnings(scenario, &made);
		check_hindrances(scenario, &made);
		check_disabled(scenario, &made);
		check_block(scenario, &made);

		plan(scenario, made.text, &again, 0, &error);
		if (again.changed)
			fail_msg("%s: not idempotent\n%s", scenario->name, again.text);
		const char *block = strstr(scenario->before, SG_NTPCONF_MARK);
		const char *tos = block == NULL ? NULL : strstr(block, "\ntos minsane");
		bool lowers = strstr(made.block, "\ntos minsane") != NULL &&
		              (tos == NULL || tos > strstr(block, "# END"));
		if (made.lowers_minsane != lowers)
			fail_msg("%s: minsane is lowered: %d", scenario->name,
			         made.lowers_minsane);
		/* What is included where is said of the text before. */
		if (again.lowers_minsane && scenario->included[0].path == NULL)
			fail_msg("%s: minsane is lowered twice", scenario->name);

		assert_done(sg_ntpconf_plan_revert("ntp.conf", made.text, made.size,
		                                   &undone, &error),
		            error);
		if (strstr(scenario->before, "# BEGIN") == NULL &&
		    strcmp(undone.text, scenario->before) != 0)
			fail_msg("%s: not reverted\n%s", scenario->name, undone.text);
		sg_ntpconf_plan_free(&made);
		sg_ntpconf_plan_free(&again);
		sg_ntpconf_plan_free(&undone);
	}
}

static void test_nul_is_not_text(void **state)
{
	const struct sg_ntpconf_request request = {.server_options = ""};
	struct sg_ntpconf_plan made = {0};
	struct sg_error error;

	(void)state;
	assert_int_equal(
		sg_ntpconf_plan("ntp.conf", "a\0b", 3, &request, &made, &error), -1);
	assert_string_equal(error.code, "config-not-text");
	assert_non_null(strstr(error.text, "offset 1"));
	sg_ntpconf_plan_free(&made);
}

static void test_server_options(void **state)
{
	static const char *const good[] = {"", "iburst", OPTIONS, "key 7 version 4",
	                                   "key 65534 version 1"};
	static const char *const bad[] = {
		"ibrust",     "minpoll",          "minpoll x",  "minpoll -1",
		"minpoll 18", "noselect",         "key 65535",  "version 0",
		"version 5",  "iburst\nserver a", "prefer # x", "iburst iburst;",
		"minpoll 4x", "maxpoll\t4",
	};
	struct sg_error error;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_done(sg_ntpconf_check_options(good[i], &error), error);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(sg_ntpconf_check_options(bad[i], &error), -1);

	assert_true(sg_ntpconf_is_keyword("default"));
	assert_true(sg_ntpconf_is_keyword("source"));
	assert_false(sg_ntpconf_is_keyword("Default"));
	assert_false(sg_ntpconf_is_keyword("default.example"));
}

static void test_sources(void **state)
{
	static const char *const names[] = {"a.example", "169.254.169.123",
	                                    "b.example", "c.example"};
	const char *text = "server a.example\nserver 127.127.1.0\n" BEGIN SERVER END
					   "broadcastclient novolley\nmulticastclient 224.0.1.1\n"
					   "manycastclient 224.0.1.1\nrefclock shm\npool -4 "
					   "b.example;\npeer c.example\nserver\nend\npool d\n";
	struct sg_ntpconf_sources sources = {0};
	struct sg_error error;

	(void)state;
	assert_done(
		sg_ntpconf_list_sources("f", text, strlen(text), &sources, &error),
		error);
	assert_int_equal(sources.count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_memory_equal(sources.items[i].name, names[i], strlen(names[i]));
	assert_true(sources.items[1].managed);
	assert_false(sources.items[2].managed);
	sg_ntpconf_sources_free(&sources);
}

static void test_mentions(void **state)
{
	const char *text = "includefile \"/a b\"\n#includefile /c\n\tincludefile d "
					   "# e\nlogfile /l\nserver fd00:ec2::123\nend\n"
					   "includefile /f\n";
	struct sg_ntpconf_includes includes;
	struct sg_error error;

	(void)state;
	assert_done(
		sg_ntpconf_list_includes("f", text, strlen(text), &includes, &error),
		error);
	assert_int_equal(includes.count, 2);
	assert_string_equal(includes.items[0].path, "/a b");
	assert_string_equal(includes.items[1].path, "d");
	assert_int_equal(includes.items[1].line, 3);
	sg_ntpconf_includes_free(&includes);

	char *log = sg_ntpconf_log_file("f", text, strlen(text));
	assert_string_equal(log, "/l");
	free(log);
	assert_true(
		sg_ntpconf_lists_server("f", text, strlen(text), "FD00:EC2:0::123"));
	assert_false(sg_ntpconf_lists_server("f", text, strlen(text), "192.0.2.1"));
}

/* ---- any text at all ---------------------------------------------------- */

static uint64_t seed = 42;

/* xorshift64: the same texts in every run. */
static unsigned roll(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % below);
}

static size_t random_text(char *text, size_t size)
{
	static const char *const pieces[] = {
		"server ",
		"pool ",
		"peer ",
		"tos ",
		"minsane ",
		"restrict ",
		"default ",
		"ignore ",
		"noquery ",
		"leapfile ",
		"-4 ",
		"-6 ",
		"169.254.169.123 ",
		"10.0.0.1 ",
		"mask ",
		"255.0.0.0 ",
		"3 ",
		"#",
		"\"",
		"\t",
		"\r",
		"\n",
		"\n",
		"\r\n",
		"\n\n",
		"\xff\xfe",
		"#skewgat",
		"\\",
		"end ",
		"\v\f",
		"x",
	};
	size_t used = 0;

	for (unsigned i = roll(60); i > 0; i--) {
		const char *piece = pieces[roll(sizeof pieces / sizeof *pieces)];

		if (used + strlen(piece) < size)
			used += (size_t)snprintf(text + used, size - used, "%s", piece);
	}
	text[used] = '\0';
	return used;
}

/* Whether `after` is `before` with the block put in at one place. */
static bool is_insertion(const char *before, size_t before_size,
                         const char *after, size_t after_size)
{
	size_t head = 0;
	size_t tail = 0;

	while (head < before_size && head < after_size &&
	       before[head] == after[head])
		head++;
	while (tail < before_size - head && tail < after_size - head &&
	       before[before_size - 1 - tail] == after[after_size - 1 - tail])
		tail++;
	return head + tail == before_size;
}

static void test_any_text(void **state)
{
	enum { ROUNDS = 400 }; /* 5 ms each */
	unsigned refused = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct scenario scenario = {.name = "random", .exclusive = i % 4 == 0};
		struct sg_ntpconf_plan made = {0};
		struct sg_ntpconf_plan again = {0};
		struct sg_ntpconf_plan undone = {0};
		struct sg_error error;
		char text[2048] = "";
		static const char *const amazon[] = {SG_AMAZON_IPV4};
		const struct sg_ntpconf_request request = {
			.servers = amazon,
			.server_count = 1,
			.server_options = OPTIONS,
			.exclusive = scenario.exclusive,
		};

		size_t size = random_text(text, sizeof text);
		if (sg_ntpconf_plan("f", text, size, &request, &made, &error) != 0) {
			/* Only what the text itself can be to blame for. */
			if (strcmp(error.code, "own-restrict") != 0 &&
			    strcmp(error.code, "own-line-noselect") != 0)
				fail_msg("round %u: [%s] %s\n%s", i, error.code, error.text,
				         text);
			refused++;
			sg_ntpconf_plan_free(&made);
			continue;
		}
		if (!scenario.exclusive)
			assert_true(is_insertion(text, size, made.text, made.size));
		plan(&scenario, made.text, &again, 0, &error);
		if (again.changed)
			fail_msg("round %u: twice is not once\n%s\n---\n%s", i, made.text,
			         again.text);
		assert_done(
			sg_ntpconf_plan_revert("f", made.text, made.size, &undone, &error),
			error);
		if (undone.size != size || memcmp(undone.text, text, size) != 0)
			fail_msg("round %u: not reverted\n%s\n---\n%s", i, text,
			         undone.text);
		sg_ntpconf_plan_free(&made);
		sg_ntpconf_plan_free(&again);
		sg_ntpconf_plan_free(&undone);
	}
	assert_in_range(refused, 0, ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenarios),
		cmocka_unit_test(test_nul_is_not_text),
		cmocka_unit_test(test_server_options),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_mentions),
		cmocka_unit_test(test_any_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
