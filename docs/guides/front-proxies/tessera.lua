-- Asks Tessera what to do with a request: `http-request lua.tessera_decide`. Sets the variable txn.tessera_pass when the
-- request may pass, and answers it otherwise. HAProxy 2.5 or newer.
local url = os.getenv("TESSERA_DECISION_URL")
local credential = os.getenv("TESSERA_DECISION_CREDENTIAL")
-- Milliseconds.
local patience = 10000

-- What Tessera says to the upstream. Each is in every answer, empty where it says nothing.
local told = { "x-vercel-oidc-passport-token", "x-vercel-oidc-token", "x-vercel-id", "cookie" }

-- Of the call to Tessera, and not of the answer that the visitor gets.
local of_the_call = {
  ["connection"] = true,
  ["content-length"] = true,
  ["cookie"] = true,
  ["date"] = true,
  ["keep-alive"] = true,
  ["transfer-encoding"] = true,
}

-- Of the visitor's connection, or told apart: not for the call.
local not_asked = {
  ["connection"] = true,
  ["content-length"] = true,
  ["expect"] = true,
  ["host"] = true,
  ["keep-alive"] = true,
  ["transfer-encoding"] = true,
  ["te"] = true,
  ["trailer"] = true,
  ["upgrade"] = true,
  ["x-vercel-decision-credential"] = true,
}

local function values_of(list)
  local values = {}
  local index = 0
  while list[index] ~= nil do
    values[#values + 1] = list[index]
    index = index + 1
  end
  return values
end

local function ask(txn)
  local headers = {}
  for name, list in pairs(txn.http:req_get_headers()) do
    local told_apart = name:find("^x%-original%-") or name:find("^x%-forwarded%-")
    if not not_asked[name] and not told_apart then
      headers[name] = values_of(list)
    end
  end
  headers["x-vercel-decision-credential"] = { credential }
  headers["x-original-method"] = { txn.f:method() }
  headers["x-original-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
  headers["x-original-host"] = { txn.sf:req_hdr("host") }
  headers["x-original-uri"] = { txn.f:pathq() }
  headers["x-original-address"] = { tostring(txn.f:src()) }
  return core.httpclient():get({ url = url, headers = headers, timeout = patience })
end

local function answer(txn, response)
  local reply = txn:reply({ status = response.status, body = response.body })
  for name, list in pairs(response.headers) do
    if not of_the_call[name] then
      for _, value in ipairs(values_of(list)) do
        if value ~= "" then
          reply:add_header(name, value)
        end
      end
    end
  end
  txn:done(reply)
end

local function refuse(txn)
  local reply = txn:reply({ status = 503 })
  reply:add_header("cache-control", "no-store")
  reply:add_header("retry-after", "5")
  txn:done(reply)
end

core.register_action("tessera_decide", { "http-req" }, function(txn)
  local response = ask(txn)
  local decision = response and response.headers and response.headers["x-vercel-decision"]
  if decision == nil or response.status < 200 then
    return refuse(txn)
  end
  if response.status ~= 200 then
    return answer(txn, response)
  end
  if decision[0] ~= "pass" then
    return refuse(txn)
  end
  -- Whatever the visitor sent in our name, in every spelling; then what Tessera says.
  for name in pairs(txn.http:req_get_headers()) do
    if name:find("vercel", 1, true) or name == "cookie" then
      txn.http:req_del_header(name)
    end
  end
  for _, name in ipairs(told) do
    local value = response.headers[name] and response.headers[name][0] or ""
    if value ~= "" then
      txn.http:req_set_header(name, value)
    end
  end
  -- In the form in which it was decided about, whatever form it came in.
  txn.http:req_set_uri(txn.f:pathq())
  txn:set_var("txn.tessera_pass", true)
end, 0)
