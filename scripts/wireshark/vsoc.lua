-- SPDX-License-Identifier: MIT
-- Shows captures of vsoc in Wireshark and tshark: queue, direction, sequence, states, losses.
-- docs/specs/capture.md describes the record. Load it with -X lua_script:vsoc.lua, or put it into
-- Wireshark's folder of plugins. It takes link type USER0 and nothing else.

local VERSION, HEADER = 1, 48
local FRAME, STATE, LOSS = 0, 1, 2
local INITIAL = 0x01

local kinds = { [FRAME] = "frame", [STATE] = "state", [LOSS] = "loss" }
local directions = { [0] = "end 0 -> end 1", [1] = "end 1 -> end 0" }
local states = { [0] = "established", [1] = "sync", [2] = "ack" }
local statuses = { [0] = "unknown", [1] = "open", [2] = "gone", [3] = "invalid" }

local vsoc = Proto("vsoc", "vsoc IVC queue")
local f = {}
f.version = ProtoField.uint8("vsoc.version", "Version")
f.kind = ProtoField.uint8("vsoc.kind", "Kind", base.DEC, kinds)
f.direction = ProtoField.uint8("vsoc.direction", "Direction", base.DEC, directions)
f.flags = ProtoField.uint8("vsoc.flags", "Flags", base.HEX)
f.initial = ProtoField.bool("vsoc.flags.initial", "So when the capture began", 8, nil, INITIAL)
f.state0 = ProtoField.bool("vsoc.flags.state0", "State of end 0 changed", 8, nil, 0x02)
f.state1 = ProtoField.bool("vsoc.flags.state1", "State of end 1 changed", 8, nil, 0x04)
f.status0 = ProtoField.bool("vsoc.flags.status0", "Status of end 0 changed", 8, nil, 0x08)
f.status1 = ProtoField.bool("vsoc.flags.status1", "Status of end 1 changed", 8, nil, 0x10)
f.cleared0 = ProtoField.bool("vsoc.flags.cleared0", "Counts of end 0 -> end 1 cleared", 8, nil,
                             0x20)
f.cleared1 = ProtoField.bool("vsoc.flags.cleared1", "Counts of end 1 -> end 0 cleared", 8, nil,
                             0x40)
f.queue = ProtoField.uint32("vsoc.queue", "Queue")
f.sequence = ProtoField.uint32("vsoc.sequence", "Sequence")
f.lost = ProtoField.uint32("vsoc.lost", "Frames lost")
f.tx_count = ProtoField.uint32("vsoc.tx_count", "Frames sent")
f.rx_count = ProtoField.uint32("vsoc.rx_count", "Frames consumed")
f.depth = ProtoField.uint32("vsoc.depth", "Frames under way")
f.end_state = {
    [0] = ProtoField.uint32("vsoc.end0.state", "State of end 0", base.DEC, states),
    [1] = ProtoField.uint32("vsoc.end1.state", "State of end 1", base.DEC, states),
}
f.end_status = {
    [0] = ProtoField.uint32("vsoc.end0.status", "Status of end 0", base.DEC, statuses, 0x3),
    [1] = ProtoField.uint32("vsoc.end1.status", "Status of end 1", base.DEC, statuses, 0x3),
}
f.end_left = {
    [0] = ProtoField.uint32("vsoc.end0.left", "Times that end 0 was left", base.DEC, nil,
                            0xffffff00),
    [1] = ProtoField.uint32("vsoc.end1.left", "Times that end 1 was left", base.DEC, nil,
                            0xffffff00),
}
f.partition0 = ProtoField.uint8("vsoc.end0.partition", "Partition of end 0")
f.partition1 = ProtoField.uint8("vsoc.end1.partition", "Partition of end 1")
f.frame_size = ProtoField.uint32("vsoc.frame_size", "Frame size")
f.payload = ProtoField.bytes("vsoc.payload", "Payload")
vsoc.fields = {
    f.version, f.kind, f.direction, f.flags, f.initial, f.state0, f.state1, f.status0, f.status1,
    f.cleared0, f.cleared1, f.queue, f.sequence, f.lost, f.tx_count, f.rx_count, f.depth,
    f.end_state[0], f.end_state[1], f.end_status[0], f.end_status[1], f.end_left[0],
    f.end_left[1], f.partition0, f.partition1, f.frame_size, f.payload,
}

local expert_loss = ProtoExpert.new("vsoc.expert.loss", "Frames were lost by the capture",
                                    expert.group.SEQUENCE, expert.severity.WARN)
local expert_state = ProtoExpert.new("vsoc.expert.state", "A state has changed",
                                     expert.group.SEQUENCE, expert.severity.NOTE)
local expert_version = ProtoExpert.new("vsoc.expert.version", "Another version of the record",
                                       expert.group.UNDECODED, expert.severity.ERROR)
vsoc.experts = { expert_loss, expert_state, expert_version }

local function state_name(word)
    return states[word] or string.format("invalid 0x%x", word)
end

local function status_name(word)
    return statuses[bit.band(word, 3)]
end

-- "end 0: open established, end 1: gone sync"
local function ends(buffer)
    local texts = {}
    for e = 0, 1 do
        texts[#texts + 1] = string.format(
            "end %d (partition %d): %s %s", e, buffer(40 + e, 1):uint(),
            status_name(buffer(32 + 4 * e, 4):le_uint()),
            state_name(buffer(24 + 4 * e, 4):le_uint()))
    end
    return table.concat(texts, ", ")
end

local function summary(buffer, kind, direction)
    local sequence = buffer(8, 4):le_uint()
    if kind == FRAME then
        return string.format("frame %u, %s", sequence, directions[direction] or "?")
    elseif kind == LOSS then
        return string.format("%u frames lost from %u on, %s", buffer(12, 4):le_uint(), sequence,
                             directions[direction] or "?")
    elseif kind == STATE then
        local flags = buffer(3, 1):uint()
        local what = bit.band(flags, INITIAL) ~= 0 and "at the start: " or ""
        if bit.band(flags, 0x60) ~= 0 then
            what = what .. "counts cleared; "
        end
        return what .. ends(buffer)
    end
    return string.format("kind %d", kind)
end

function vsoc.dissector(buffer, pinfo, tree)
    if buffer:len() < HEADER then
        return 0
    end
    pinfo.cols.protocol = "vsoc"
    local version = buffer(0, 1):uint()
    local kind = buffer(1, 1):uint()
    local direction = buffer(2, 1):uint()
    local queue = buffer(4, 4):le_uint()
    local item = tree:add(vsoc, buffer(0, HEADER))
    item:add(f.version, buffer(0, 1))
    if version ~= VERSION then
        item:add_proto_expert_info(expert_version)
        return buffer:len()
    end
    local text = summary(buffer, kind, direction)
    item:append_text(string.format(", queue %u, %s", queue, text))
    pinfo.cols.info = string.format("queue %u: %s", queue, text)
    -- The sender and the receiver; of a state record, both ends.
    local from = direction == 1 and 1 or 0
    pinfo.cols.src = string.format("partition %d", buffer(40 + from, 1):uint())
    pinfo.cols.dst = string.format("partition %d", buffer(41 - from, 1):uint())

    item:add(f.kind, buffer(1, 1))
    if kind ~= STATE then
        item:add(f.direction, buffer(2, 1))
    end
    item:add_le(f.queue, buffer(4, 4))
    if kind == STATE then
        local flags = item:add(f.flags, buffer(3, 1))
        for _, flag in ipairs({ f.initial, f.state0, f.state1, f.status0, f.status1, f.cleared0,
                                f.cleared1 }) do
            flags:add(flag, buffer(3, 1))
        end
        if bit.band(buffer(3, 1):uint(), INITIAL) == 0 then
            item:add_proto_expert_info(expert_state, text)
        end
    else
        item:add_le(f.sequence, buffer(8, 4))
    end
    if kind == LOSS then
        item:add_le(f.lost, buffer(12, 4))
        item:add_proto_expert_info(expert_loss, text)
    end
    local tx, rx = buffer(16, 4):le_uint(), buffer(20, 4):le_uint()
    item:add_le(f.tx_count, buffer(16, 4))
    item:add_le(f.rx_count, buffer(20, 4))
    item:add(f.depth, buffer(16, 8), (tx - rx) % 0x100000000):set_generated()
    for e = 0, 1 do
        item:add_le(f.end_state[e], buffer(24 + 4 * e, 4))
        item:add_le(f.end_status[e], buffer(32 + 4 * e, 4))
        item:add_le(f.end_left[e], buffer(32 + 4 * e, 4))
    end
    item:add(f.partition0, buffer(40, 1))
    item:add(f.partition1, buffer(41, 1))
    item:add_le(f.frame_size, buffer(44, 4))
    if buffer:len() > HEADER then
        tree:add(f.payload, buffer(HEADER))
    end
    return buffer:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, vsoc)
