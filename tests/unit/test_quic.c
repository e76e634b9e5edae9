/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests/proto/cases/quic_*.txt cannot say: the ciphers against their twins in libcrypto, the
 * examples of RFC 9001 and RFC 9369, every cut and many orders of a hello, every flipped bit, and
 * the refusal.
 */
#include <check.h>

#include "fuzz/drive.h"
#include "quic/quic_packet.h"
#include "quic_rig.h"

extern const struct dissector quic_dissector;

/* ---- ciphers ---- */

START_TEST(gcm_is_that_of_libcrypto)
{
	uint8_t key[16], nonce[12], text[90], ours[sizeof text], tag[16], theirs[sizeof text + 16];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 77 + 5);
	for (size_t n = 0; n <= 64; n++) {
		for (size_t i = 0; i < 16; i++)
			key[i] = (uint8_t)(n * 31 + i * 7);
		memcpy(nonce, key + 2, sizeof nonce);
		const struct bytes header = bytes_of(text, n % 40), plain = bytes_of(text, n);
		struct quic_gcm gcm;
		quic_gcm_init(&gcm, key);
		quic_gcm_crypt(&gcm, nonce, plain, ours);
		quic_gcm_tag(&gcm, nonce, header, bytes_of(ours, n), tag);
		qr_gcm(key, nonce, header, plain, theirs);
		ck_assert_mem_eq(ours, theirs, n);
		ck_assert_mem_eq(tag, theirs + n, sizeof tag);
	}
}
END_TEST

START_TEST(block_is_that_of_fips_197)
{
	const struct qr_text key = qr_hex("000102030405060708090a0b0c0d0e0f"),
			     plain = qr_hex("00112233445566778899aabbccddeeff"),
			     cipher = qr_hex("69c4e0d86a7b0430d8cdb78070b4c55a");
	struct quic_aes aes;
	uint8_t out[16];
	quic_aes_init(&aes, key.p);
	quic_aes_block(&aes, plain.p, out);
	ck_assert_mem_eq(out, cipher.p, sizeof out);
}
END_TEST

/* ---- the examples of the specifications: RFC 9001 and RFC 9369, appendix A ---- */

static const char client_frame[] =
	"060040f1010000ed0303ebf8fa56f129 39b9584a3896472ec40bb863cfd3e868"
	"04fe3a47f06a2b69484c000004130113 02010000c000000010000e00000b6578"
	"616d706c652e636f6dff01000100000a 00080006001d00170018001000070005"
	"04616c706e0005000501000000000033 00260024001d00209370b2c9caa47fba"
	"baf4559fedba753de171fa71f50f1ce1 5d43e994ec74d748002b000302030400"
	"0d0010000e0403050306030203080408 050806002d00020101001c0002400100"
	"3900320408ffffffffffffffff050480 00ffff07048000ffff08011001048000"
	"75300901100f088394c8f03e51570806 048000ffff";
static const char server_frames[] =
	"02000000000600405a020000560303ee fce7f7b37ba1d1632e96677825ddf739"
	"88cfc79825df566dc5430b9a045a1200 130100002e00330024001d00209d3c94"
	"0d89690b84d08a60993c144eca684d10 81287c834d5311bcf32bb9da1a002b00"
	"020304";
static const char example_dcid[] = "8394c8f03e515708";

struct example {
	uint32_t version;
	const char *client, *server, *retry;
};

static const struct example examples[] = {
	{
		.version = QUIC_V1,
		.client = "c000000001088394c8f03e5157080000 449e7b9aec34d1b1c98dd7689fb8ec11"
			  "d242b123dc9bd8bab936b47d92ec356c 0bab7df5976d27cd449f63300099f399"
			  "1c260ec4c60d17b31f8429157bb35a12 82a643a8d2262cad67500cadb8e7378c"
			  "8eb7539ec4d4905fed1bee1fc8aafba1 7c750e2c7ace01e6005f80fcb7df6212"
			  "30c83711b39343fa028cea7f7fb5ff89 eac2308249a02252155e2347b63d58c5"
			  "457afd84d05dfffdb20392844ae81215 4682e9cf012f9021a6f0be17ddd0c208"
			  "4dce25ff9b06cde535d0f920a2db1bf3 62c23e596d11a4f5a6cf3948838a3aec"
			  "4e15daf8500a6ef69ec4e3feb6b1d98e 610ac8b7ec3faf6ad760b7bad1db4ba3"
			  "485e8a94dc250ae3fdb41ed15fb6a8e5 eba0fc3dd60bc8e30c5c4287e53805db"
			  "059ae0648db2f64264ed5e39be2e20d8 2df566da8dd5998ccabdae053060ae6c"
			  "7b4378e846d29f37ed7b4ea9ec5d82e7 961b7f25a9323851f681d582363aa5f8"
			  "9937f5a67258bf63ad6f1a0b1d96dbd4 faddfcefc5266ba6611722395c906556"
			  "be52afe3f565636ad1b17d508b73d874 3eeb524be22b3dcbc2c7468d54119c74"
			  "68449a13d8e3b95811a198f3491de3e7 fe942b330407abf82a4ed7c1b311663a"
			  "c69890f4157015853d91e923037c227a 33cdd5ec281ca3f79c44546b9d90ca00"
			  "f064c99e3dd97911d39fe9c5d0b23a22 9a234cb36186c4819e8b9c5927726632"
			  "291d6a418211cc2962e20fe47feb3edf 330f2c603a9d48c0fcb5699dbfe58964"
			  "25c5bac4aee82e57a85aaf4e2513e4f0 5796b07ba2ee47d80506f8d2c25e50fd"
			  "14de71e6c418559302f939b0e1abd576 f279c4b2e0feb85c1f28ff18f58891ff"
			  "ef132eef2fa09346aee33c28eb130ff2 8f5b766953334113211996d20011a198"
			  "e3fc433f9f2541010ae17c1bf202580f 6047472fb36857fe843b19f5984009dd"
			  "c324044e847a4f4a0ab34f719595de37 252d6235365e9b84392b061085349d73"
			  "203a4a13e96f5432ec0fd4a1ee65accd d5e3904df54c1da510b0ff20dcc0c77f"
			  "cb2c0e0eb605cb0504db87632cf3d8b4 dae6e705769d1de354270123cb11450e"
			  "fc60ac47683d7b8d0f811365565fd98c 4c8eb936bcab8d069fc33bd801b03ade"
			  "a2e1fbc5aa463d08ca19896d2bf59a07 1b851e6c239052172f296bfb5e724047"
			  "90a2181014f3b94a4e97d117b4381303 68cc39dbb2d198065ae3986547926cd2"
			  "162f40a29f0c3c8745c0f50fba3852e5 66d44575c29d39a03f0cda721984b6f4"
			  "40591f355e12d439ff150aab7613499d bd49adabc8676eef023b15b65bfc5ca0"
			  "6948109f23f350db82123535eb8a7433 bdabcb909271a6ecbcb58b936a88cd4e"
			  "8f2e6ff5800175f113253d8fa9ca8885 c2f552e657dc603f252e1a8e308f76f0"
			  "be79e2fb8f5d5fbbe2e30ecadd220723 c8c0aea8078cdfcb3868263ff8f09400"
			  "54da48781893a7e49ad5aff4af300cd8 04a6b6279ab3ff3afb64491c85194aab"
			  "760d58a606654f9f4400e8b38591356f bf6425aca26dc85244259ff2b19c41b9"
			  "f96f3ca9ec1dde434da7d2d392b905dd f3d1f9af93d1af5950bd493f5aa731b4"
			  "056df31bd267b6b90a079831aaf579be 0a39013137aac6d404f518cfd4684064"
			  "7e78bfe706ca4cf5e9c5453e9f7cfd2b 8b4c8d169a44e55c88d4a9a7f9474241"
			  "e221af44860018ab0856972e194cd934",
		.server = "cf000000010008f067a5502a4262b500 4075c0d95a482cd0991cd25b0aac406a"
			  "5816b6394100f37a1c69797554780bb3 8cc5a99f5ede4cf73c3ec2493a1839b3"
			  "dbcba3f6ea46c5b7684df3548e7ddeb9 c3bf9c73cc3f3bded74b562bfb19fb84"
			  "022f8ef4cdd93795d77d06edbb7aaf2f 58891850abbdca3d20398c276456cbc4"
			  "2158407dd074ee",
		.retry = "ff000000010008f067a5502a4262b574 6f6b656e04a265ba2eff4d829058fb3f"
			 "0f2496ba",
	},
	{
		.version = QUIC_V2,
		.client = "d76b3343cf088394c8f03e5157080000 449ea0c95e82ffe67b6abcdb4298b485"
			  "dd04de806071bf03dceebfa162e75d6c 96058bdbfb127cdfcbf903388e99ad04"
			  "9f9a3dd4425ae4d0992cfff18ecf0fdb 5a842d09747052f17ac2053d21f57c5d"
			  "250f2c4f0e0202b70785b7946e992e58 a59ac52dea6774d4f03b55545243cf1a"
			  "12834e3f249a78d395e0d18f4d766004 f1a2674802a747eaa901c3f10cda5500"
			  "cb9122faa9f1df66c392079a1b40f0de 1c6054196a11cbea40afb6ef5253cd68"
			  "18f6625efce3b6def6ba7e4b37a40f77 32e093daa7d52190935b8da58976ff33"
			  "12ae50b187c1433c0f028edcc4c2838b 6a9bfc226ca4b4530e7a4ccee1bfa2a3"
			  "d396ae5a3fb512384b2fdd851f784a65 e03f2c4fbe11a53c7777c023462239dd"
			  "6f7521a3f6c7d5dd3ec9b3f233773d4b 46d23cc375eb198c63301c21801f6520"
			  "bcfb7966fc49b393f0061d974a2706df 8c4a9449f11d7f3d2dcbb90c6b877045"
			  "636e7c0c0fe4eb0f697545460c806910 d2c355f1d253bc9d2452aaa549e27a1f"
			  "ac7cf4ed77f322e8fa894b6a83810a34 b361901751a6f5eb65a0326e07de7c12"
			  "16ccce2d0193f958bb3850a833f7ae43 2b65bc5a53975c155aa4bcb4f7b2c4e5"
			  "4df16efaf6ddea94e2c50b4cd1dfe060 17e0e9d02900cffe1935e0491d77ffb4"
			  "fdf85290fdd893d577b1131a610ef6a5 c32b2ee0293617a37cbb08b847741c3b"
			  "8017c25ca9052ca1079d8b78aebd4787 6d330a30f6a8c6d61dd1ab5589329de7"
			  "14d19d61370f8149748c72f132f0fc99 f34d766c6938597040d8f9e2bb522ff9"
			  "9c63a344d6a2ae8aa8e51b7b90a4a806 105fcbca31506c446151adfeceb51b91"
			  "abfe43960977c87471cf9ad4074d30e1 0d6a7f03c63bd5d4317f68ff325ba3bd"
			  "80bf4dc8b52a0ba031758022eb025cdd 770b44d6d6cf0670f4e990b22347a7db"
			  "848265e3e5eb72dfe8299ad7481a4083 22cac55786e52f633b2fb6b614eaed18"
			  "d703dd84045a274ae8bfa73379661388 d6991fe39b0d93debb41700b41f90a15"
			  "c4d526250235ddcd6776fc77bc97e7a4 17ebcb31600d01e57f32162a8560cacc"
			  "7e27a096d37a1a86952ec71bd89a3e9a 30a2a26162984d7740f81193e8238e61"
			  "f6b5b984d4d3dfa033c1bb7e4f0037fe bf406d91c0dccf32acf423cfa1e70710"
			  "10d3f270121b493ce85054ef58bada42 310138fe081adb04e2bd901f2f13458b"
			  "3d6758158197107c14ebb193230cd115 7380aa79cae1374a7c1e5bbcb80ee23e"
			  "06ebfde206bfb0fcbc0edc4ebec30966 1bdd908d532eb0c6adc38b7ca7331dce"
			  "8dfce39ab71e7c32d318d136b6100671 a1ae6a6600e3899f31f0eed19e3417d1"
			  "34b90c9058f8632c798d4490da498730 7cba922d61c39805d072b589bd52fdf1"
			  "e86215c2d54e6670e07383a27bbffb5a ddf47d66aa85a0c6f9f32e59d85a44dd"
			  "5d3b22dc2be80919b490437ae4f36a0a e55edf1d0b5cb4e9a3ecabee93dfc6e3"
			  "8d209d0fa6536d27a5d6fbb17641cde2 7525d61093f1b28072d111b2b4ae5f89"
			  "d5974ee12e5cf7d5da4d6a31123041f3 3e61407e76cffcdcfd7e19ba58cf4b53"
			  "6f4c4938ae79324dc402894b44faf8af bab35282ab659d13c93f70412e85cb19"
			  "9a37ddec600545473cfb5a05e08d0b20 9973b2172b4d21fb69745a262ccde96b"
			  "a18b2faa745b6fe189cf772a9f84cbfc",
		.server = "dc6b3343cf0008f067a5502a4262b500 4075d92faaf16f05d8a4398c47089698"
			  "baeea26b91eb761d9b89237bbf872630 17915358230035f7fd3945d88965cf17"
			  "f9af6e16886c61bfc703106fbaf3cb4c fa52382dd16a393e42757507698075b2"
			  "c984c707f0a0812d8cd5a6881eaf21ce da98f4bd23f6fe1a3e2c43edd9ce7ca8"
			  "4bed8521e2e140",
		.retry = "cf6b3343cf0008f067a5502a4262b574 6f6b656ec8646ce8bfe33952d9555436"
			 "65dcc7b6",
	},
};

enum { N_EXAMPLES = 2 };

static struct bytes open_packet(const struct qr_text *packet, enum dis_dir sender, uint8_t *room)
{
	const struct qr_text dcid = qr_hex(example_dcid);
	struct quic_packet p;
	struct quic_keys keys;
	struct quic_opened opened;
	uint32_t largest = 0;
	ck_assert_ptr_null(quic_read_packet(qr_bytes(packet), &p));
	ck_assert_int_eq(p.type, QUIC_INITIAL);
	ck_assert_uint_eq(p.whole.n, packet->n);
	quic_keys_init(&keys, p.version, qr_bytes(&dcid), sender);
	ck_assert(quic_open(&p, &keys, &largest, room, &opened));
	return opened.plain;
}

START_TEST(opens_the_example_of_a_client)
{
	const struct qr_text packet = qr_hex(examples[_i].client), frame = qr_hex(client_frame);
	uint8_t room[QR_MAX];
	const struct bytes plain = open_packet(&packet, DIS_TO_SERVER, room);
	ck_assert_uint_eq(plain.n, 1162);
	ck_assert_mem_eq(plain.p, frame.p, frame.n);
	for (size_t i = frame.n; i < plain.n; i++)
		ck_assert_uint_eq(plain.p[i], 0);
}
END_TEST

START_TEST(opens_the_example_of_a_server)
{
	const struct qr_text packet = qr_hex(examples[_i].server), frames = qr_hex(server_frames);
	uint8_t room[QR_MAX];
	const struct bytes plain = open_packet(&packet, DIS_TO_CLIENT, room);
	ck_assert_uint_eq(plain.n, frames.n);
	ck_assert_mem_eq(plain.p, frames.p, frames.n);
}
END_TEST

START_TEST(makes_the_tag_of_the_example_of_a_retry)
{
	const struct qr_text packet = qr_hex(examples[_i].retry), dcid = qr_hex(example_dcid);
	const struct bytes sealed = bytes_slice(qr_bytes(&packet), 0, packet.n - 16);
	uint8_t tag[16];
	quic_retry_tag(examples[_i].version, qr_bytes(&dcid), sealed, tag);
	ck_assert_mem_eq(tag, packet.p + sealed.n, sizeof tag);
	quic_retry_tag(examples[!_i].version, qr_bytes(&dcid), sealed, tag);
	ck_assert_mem_ne(tag, packet.p + sealed.n, sizeof tag);
}
END_TEST

static void say(struct drive *v, enum dis_dir dir, const struct qr_text *datagram)
{
	drive_bytes(v, dir, qr_bytes(datagram));
}

START_TEST(judges_the_conversation_of_the_examples)
{
	const struct qr_text client = qr_hex(examples[_i].client),
			     server = qr_hex(examples[_i].server);
	struct drive v;
	drive_init(&v, &quic_dissector, IPPROTO_UDP);
	say(&v, DIS_TO_SERVER, &client);
	say(&v, DIS_TO_CLIENT, &server);
	ck_assert_str_eq(v.log.text, "claim\n"
				     "request sni=example.com alpn=alpn version=\"TLS 1.3\" "
				     "ja4=q13d0211an_62ed6f6ca7ad_4d634acda6c0 ech=0 early_data=0\n"
				     "reply sni=example.com version=\"TLS 1.3\" cipher=0x1301\n"
				     "opaque sni=example.com version=\"TLS 1.3\" opaque=quic\n");
	ck_assert_str_eq(drive_outcome(&v), "stopped");
	drive_fini(&v);
}
END_TEST

/* The fixed bit and those of the packet number's length are no exception: all are sealed. */
START_TEST(claims_nothing_with_a_bit_flipped)
{
	struct qr_text packet = qr_hex(examples[_i].client);
	for (size_t bit = 0; bit < packet.n * 8; bit++) {
		struct drive v;
		packet.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		drive_init(&v, &quic_dissector, IPPROTO_UDP);
		say(&v, DIS_TO_SERVER, &packet);
		ck_assert_msg(v.end == DRIVE_NOT_MINE && !v.is_claimed, "bit %zu", bit);
		drive_fini(&v);
		packet.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

/* ---- hellos in pieces ---- */

static const uint8_t cid_a[] = {1, 2, 3, 4, 5, 6, 7, 8}, cid_b[] = {9, 9, 9, 9};
static const char asked_for_ok[] = "claim\nrequest sni=ok.example alpn=h3 version=\"TLS 1.3\" ";

static struct qr_initial initial(uint32_t number)
{
	return (struct qr_initial){.version = QUIC_V1,
				   .dcid = bytes_of(cid_a, sizeof cid_a),
				   .scid = bytes_of(cid_b, sizeof cid_b),
				   .number = number};
}

static void add_part(struct qr_text *frames, const struct qr_text *hello, size_t from, size_t n)
{
	qr_crypto(frames, from, bytes_slice(qr_bytes(hello), from, n));
}

static void say_frames(struct drive *v, uint32_t number, const struct qr_text *frames)
{
	const struct qr_initial i = initial(number);
	const struct qr_text datagram = qr_datagram(&i, frames);
	say(v, DIS_TO_SERVER, &datagram);
}

static void assert_asked_once(struct drive *v, const char *how, size_t at)
{
	ck_assert_msg(v->end == DRIVE_OPEN &&
			      strncmp(v->log.text, asked_for_ok, strlen(asked_for_ok)) == 0 &&
			      !strstr(v->log.text + strlen(asked_for_ok), "request"),
		      "%s %zu: %s%s", how, at, v->log.text, v->why ? v->why : "");
	drive_fini(v);
}

/* Bit 0: the second part first; bit 1: each in a datagram of its own; bit 2: they overlap. */
START_TEST(reads_a_hello_cut_anywhere)
{
	const struct qr_text hello = qr_hello("ok.example", 30);
	for (size_t cut = 1; cut < hello.n; cut++) {
		const size_t at[2] = {_i & 1 ? cut : 0, _i & 1 ? 0 : cut};
		struct qr_text frames = {.n = 0};
		struct drive v;
		drive_init(&v, &quic_dissector, IPPROTO_UDP);
		for (uint32_t part = 0; part < 2; part++) {
			const size_t overlap = at[part] && _i & 4 ? cut / 2 : 0;
			const size_t n = at[part] ? hello.n : cut;
			add_part(&frames, &hello, at[part] - overlap, n);
			if (part == 1 || _i & 2) {
				ck_assert_int_eq(v.end, DRIVE_OPEN);
				ck_assert_ptr_null(strstr(v.log.text, "request"));
				say_frames(&v, part, &frames);
				frames.n = 0;
			}
		}
		assert_asked_once(&v, "cut", cut);
	}
}
END_TEST

/* Each order of four pieces in four datagrams. */
START_TEST(reads_a_hello_in_any_order)
{
	const struct qr_text hello = qr_hello("ok.example", 1500);
	const size_t step = (hello.n + 3) / 4;
	int order[4] = {_i / 64, _i / 16 % 4, _i / 4 % 4, _i % 4};
	unsigned seen = 0;
	for (int i = 0; i < 4; i++)
		seen |= 1u << order[i];
	if (seen != 15)
		return; /* no permutation */
	struct drive v;
	drive_init(&v, &quic_dissector, IPPROTO_UDP);
	for (uint32_t i = 0; i < 4; i++) {
		struct qr_text frames = {.n = 0};
		ck_assert_ptr_null(strstr(v.log.text, "request"));
		add_part(&frames, &hello, (size_t)order[i] * step, step);
		say_frames(&v, i, &frames);
	}
	assert_asked_once(&v, "order", (size_t)_i);
}
END_TEST

static uint32_t dice(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

/* As browsers do on purpose: small pieces, some twice, with PING and PADDING between them. */
START_TEST(reads_a_hello_in_chaos)
{
	const struct qr_text hello = qr_hello("ok.example", 300);
	for (uint64_t seed = 0; seed < 300; seed++) {
		uint64_t state = seed;
		struct drive v;
		drive_init(&v, &quic_dissector, IPPROTO_UDP);
		for (uint32_t number = 0; number < 60 && !strstr(v.log.text, "request"); number++) {
			struct qr_text frames = {.n = 0};
			for (uint32_t n = 1 + dice(&state) % 20; n > 0 && frames.n < 900; n--) {
				const size_t from = dice(&state) % (hello.n + 60);
				add_part(&frames, &hello, from < 60 ? 0 : from - 60,
					 1 + dice(&state) % 60);
				qr_put(&frames, 1, dice(&state) % 2);
			}
			say_frames(&v, number * 3, &frames);
		}
		assert_asked_once(&v, "seed", seed);
	}
}
END_TEST

/* The judged name may not be replaced, whichever copy the server has. */
START_TEST(refuses_each_byte_that_comes_again_as_another)
{
	const struct qr_text hello = qr_hello("ok.example", 0);
	for (size_t at = 0; at < hello.n; at++) {
		struct qr_text frames = {.n = 0}, other = hello;
		struct drive v;
		other.p[at] ^= 0x20;
		drive_init(&v, &quic_dissector, IPPROTO_UDP);
		add_part(&frames, &hello, 0, hello.n - (size_t)_i);
		say_frames(&v, 0, &frames);
		frames.n = 0;
		add_part(&frames, &other, at, 1);
		if (at >= hello.n - (size_t)_i) /* not there yet */
			add_part(&frames, &hello, at, 1);
		say_frames(&v, 1, &frames);
		ck_assert_msg(v.end == DRIVE_MALFORMED, "byte %zu", at);
		drive_fini(&v);
	}
}
END_TEST

/* ---- hostile contents under a right seal: a fuzzer cannot make the seal ---- */

static void spoil(struct qr_text *t, uint64_t *state)
{
	for (uint32_t n = dice(state) % 6; n > 0; n--) {
		const size_t at = dice(state) % t->n;
		t->p[at] = (uint8_t)dice(state);
	}
	if (dice(state) % 4 == 0)
		t->n = 1 + dice(state) % t->n;
}

static void add_hostile_part(struct qr_text *frames, const struct qr_text *message, uint64_t *state)
{
	const size_t from = dice(state) % 4 ? 0 : dice(state) % message->n;
	const size_t n = dice(state) % 4 ? message->n : dice(state) % 60;
	const size_t more = 1 + dice(state) % 3;
	add_part(frames, message, from, n);
	if (dice(state) % 4 == 0)
		qr_put(frames, more, 0x010002u >> dice(state) % 17);
}

static struct qr_text hostile_frames(bool is_server, uint64_t *state)
{
	struct qr_text frames = {.n = 0};
	struct qr_text message =
		is_server ? qr_server_hello(dice(state) % 2) : qr_hello("ok.example", 40);
	if (dice(state) % 4 == 0)
		spoil(&message, state);
	for (uint32_t n = 1 + dice(state) % 3; n > 0; n--)
		add_hostile_part(&frames, &message, state);
	if (dice(state) % 3 == 0)
		spoil(&frames, state);
	return frames;
}

/* drive.h holds each answer to the contract, and every byte to its bounds. */
START_TEST(bears_whatever_is_sealed)
{
	unsigned n_claimed = 0, n_asked = 0, n_stopped = 0;
	for (uint64_t seed = 0; seed < 400; seed++) {
		uint64_t state = seed * 977 + (uint64_t)_i;
		struct drive v;
		drive_init(&v, &quic_dissector, IPPROTO_UDP);
		for (uint32_t number = 0; number < 5 && v.end == DRIVE_OPEN; number++) {
			struct qr_initial i = initial(number);
			i.is_server = number > 0 && dice(&state) % 2;
			const struct qr_text frames = hostile_frames(i.is_server, &state);
			const struct qr_text datagram = qr_datagram(&i, &frames);
			say(&v, i.is_server ? DIS_TO_CLIENT : DIS_TO_SERVER, &datagram);
		}
		n_claimed += v.is_claimed;
		n_asked += strstr(v.log.text, "request") != NULL;
		n_stopped += v.end == DRIVE_STOPPED;
		drive_fini(&v);
	}
	ck_assert_uint_eq(n_claimed, 400);
	ck_assert_uint_gt(n_asked, 60);
	ck_assert_uint_gt(n_stopped, 5);
}
END_TEST

/* ---- the refusal ---- */

static void ignore_event(void *ctx, const struct dis_event *event)
{
	unsigned *n = ctx;
	*n += event->kind == DIS_REQUEST;
}

static void no_edit(void *ctx, size_t offset, struct bytes with)
{
	(void)ctx, (void)offset, (void)with; /* this dissector replaces nothing */
	ck_abort_msg("an edit");
}

/* _i: the version. */
START_TEST(refuses_as_the_server_would)
{
	static const char why[] = "refused by bridgewarden: rule names";
	_Alignas(16) uint8_t state[DIS_STATE_MAX] = {0};
	uint8_t out[DIS_REFUSAL_MAX];
	unsigned n_requests = 0;
	const struct dis_sink sink = {.event = ignore_event, .edit = no_edit, .ctx = &n_requests};
	struct qr_initial i = initial(0);
	struct qr_text frames = {.n = 0}, hello = qr_hello("no.example", 0), expected = {.n = 0};
	i.version = examples[_i].version;
	add_part(&frames, &hello, 0, hello.n);
	const struct qr_text unit = qr_datagram(&i, &frames);
	ck_assert_uint_eq(
		quic_dissector.feed(state, IPPROTO_UDP, DIS_TO_SERVER, qr_bytes(&unit), &sink)
			.status,
		DIS_DONE);
	ck_assert_uint_eq(n_requests, 1);
	const size_t n =
		quic_dissector.refuse(state, IPPROTO_UDP, qr_bytes(&unit), bytes_str(why), out);
	ck_assert_uint_gt(n, 40);
	const struct qr_keys k = qr_keys(i.version, i.dcid, true);
	const size_t number_at = 1 + 4 + 1 + i.scid.n + 1 + i.dcid.n + 1 + 2;
	uint8_t mask[16], sealed[DIS_REFUSAL_MAX];
	qr_aes(k.hp, out + number_at + 4, mask);
	out[0] ^= mask[0] & 0x0f;
	out[number_at] ^= mask[1];
	ck_assert_uint_eq(out[0], _i ? 0xd0 : 0xc0);
	ck_assert_mem_eq(out + 6, cid_b, sizeof cid_b);
	ck_assert_uint_eq(out[number_at], 0);
	qr_put(&expected, 1, 0x1c), qr_varint(&expected, 0x100 + 49), qr_put(&expected, 1, 6);
	qr_varint(&expected, strlen(why));
	qr_add(&expected, bytes_str(why));
	qr_gcm(k.key, k.iv, bytes_of(out, number_at + 1), qr_bytes(&expected), sealed);
	ck_assert_uint_eq(n, number_at + 1 + expected.n + 16);
	ck_assert_mem_eq(out + number_at + 1, sealed, expected.n + 16);
}
END_TEST

static void add_pieces(Suite *suite)
{
	TCase *tc = tcase_create("pieces");
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, reads_a_hello_cut_anywhere, 0, 8);
	tcase_add_loop_test(tc, reads_a_hello_in_any_order, 0, 256);
	tcase_add_test(tc, reads_a_hello_in_chaos);
	tcase_add_loop_test(tc, bears_whatever_is_sealed, 0, 4);
	tcase_add_loop_test(tc, refuses_each_byte_that_comes_again_as_another, 0, 2);
	suite_add_tcase(suite, tc);
}

int main(void)
{
	Suite *suite = suite_create("quic");
	TCase *tc = tcase_create("examples");
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, gcm_is_that_of_libcrypto);
	tcase_add_test(tc, block_is_that_of_fips_197);
	tcase_add_loop_test(tc, opens_the_example_of_a_client, 0, N_EXAMPLES);
	tcase_add_loop_test(tc, opens_the_example_of_a_server, 0, N_EXAMPLES);
	tcase_add_loop_test(tc, makes_the_tag_of_the_example_of_a_retry, 0, N_EXAMPLES);
	tcase_add_loop_test(tc, judges_the_conversation_of_the_examples, 0, N_EXAMPLES);
	tcase_add_loop_test(tc, claims_nothing_with_a_bit_flipped, 0, N_EXAMPLES);
	tcase_add_loop_test(tc, refuses_as_the_server_would, 0, N_EXAMPLES);
	suite_add_tcase(suite, tc);
	add_pieces(suite);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
